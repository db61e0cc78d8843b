"""What was found in a large image, written as it comes: labels, outlines, a table and an overview.

Each file or folder appears whole or not at all, and none is replaced.
"""

from __future__ import annotations

from .density import Density
from .labels import label_grid, write_label_zarr
from .objects import KINDS, ObjectsWritten, check_kinds, write_objects
from .overview import draw_overview, write_overview
from .record import Frame, ObjectRecord, Part

__all__ = [
    "KINDS",
    "Density",
    "Frame",
    "ObjectRecord",
    "ObjectsWritten",
    "Part",
    "check_kinds",
    "draw_overview",
    "label_grid",
    "write_label_zarr",
    "write_objects",
    "write_overview",
]
