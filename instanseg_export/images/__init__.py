"""Pictures in, label maps out: files that users have, read into one form, and files that they open afterwards."""

from __future__ import annotations

from .image import Image
from .labels import write_labels
from .objects import write_objects
from .overlay import fullest_slice, overlay
from .read import read_image
from .rescale import rescale, rescale_labels

__all__ = [
    "Image",
    "fullest_slice",
    "overlay",
    "read_image",
    "rescale",
    "rescale_labels",
    "write_labels",
    "write_objects",
]
