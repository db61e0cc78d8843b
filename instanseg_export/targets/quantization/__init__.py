"""Files of reduced precision beside the fp32 ones: the network in int8 or float16, the rest unchanged."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .reduced import PRECISIONS, REDUCED, Reduced, check_precisions, reduced_file

if TYPE_CHECKING:
    from ...images.image_sets import ImageSet, LabelledImage, calibration_set, read_calibration, read_labelled
    from .write import write_precision, write_reduced

__all__ = [
    "PRECISIONS",
    "REDUCED",
    "ImageSet",
    "LabelledImage",
    "Reduced",
    "calibration_set",
    "check_precisions",
    "read_calibration",
    "read_labelled",
    "reduced_file",
    "write_precision",
    "write_reduced",
]

_WHERE = {
    "ImageSet": "images",
    "LabelledImage": "images",
    "calibration_set": "images",
    "read_calibration": "images",
    "read_labelled": "images",
    "write_precision": "write",
    "write_reduced": "write",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)
