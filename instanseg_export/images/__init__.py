"""Pictures in, label maps out: files that users have, read into one form, and files that they open afterwards."""

from __future__ import annotations

from .image import Image, ImageInfo, PixelSize, Region
from .read import probe_image, read_image
from .rescale import rescale, rescale_labels
from .writers.labels import write_labels
from .writers.overlay import fullest_slice, overlay

__all__ = [
    "Image",
    "ImageInfo",
    "PixelSize",
    "Region",
    "fullest_slice",
    "overlay",
    "probe_image",
    "read_image",
    "rescale",
    "rescale_labels",
    "write_labels",
]
