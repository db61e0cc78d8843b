"""Pictures in, label maps out: files that users have, read into one form, and files that they open afterwards."""

from __future__ import annotations

from .image import Image
from .read import read_image
from .rescale import rescale, rescale_labels
from .writers.labels import write_labels
from .writers.overlay import fullest_slice, overlay

__all__ = [
    "Image",
    "fullest_slice",
    "overlay",
    "read_image",
    "rescale",
    "rescale_labels",
    "write_labels",
]
