"""Files of reduced precision beside the fp32 one: the network in int8 or float16, the rest unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ...errors import ExportError, UnknownNameError
from ...registry import closest

if TYPE_CHECKING:
    from ...images.image_sets import ImageSet, LabelledImage, calibration_set, read_calibration, read_labelled
    from .write import write_precision

__all__ = [
    "PRECISIONS",
    "ImageSet",
    "LabelledImage",
    "calibration_set",
    "check_precisions",
    "filename_of",
    "read_calibration",
    "read_labelled",
    "write_precision",
]

PRECISIONS = {
    "fp32": "32-bit floats throughout; always written",
    "fp16": "the network in 16-bit floats: half the file",
    "int8": "the network's convolutions in 8-bit integers: faster on CPUs, a third of the file",
}
"""Each precision, and what it means."""

_MADE_FROM = "onnx"


def check_precisions(names: Sequence[str], targets: Sequence[str]) -> list[str]:
    """Return the precisions that are asked for beside fp32, each once.

    Args:
        names: of precisions.
        targets: names of the targets that are exported.

    Raises:
        UnknownNameError: there is no such precision; the hint suggests the closest one.
        ExportError: one beside fp32 is asked for, but not the ONNX file that it is made from.
    """
    for name in names:
        if name not in PRECISIONS:
            guess = closest(name, PRECISIONS)
            suggestion = f"Did you mean {guess!r}? " if guess else ""
            raise UnknownNameError(
                f"There is no precision called {name!r}.", hint=f"{suggestion}Known are: {', '.join(PRECISIONS)}."
            )
    reduced = [name for name in dict.fromkeys(names) if name != "fp32"]
    if reduced and _MADE_FROM not in targets:
        raise ExportError(
            f"{' and '.join(reduced)} {'is' if len(reduced) == 1 else 'are'} made from the ONNX file, "
            f"but the targets are {', '.join(targets)}.",
            hint="Add onnx to --targets.",
        )
    return reduced


def filename_of(precision: str) -> str:
    """Return the name of a precision's file in a package."""
    return "model.onnx" if precision == "fp32" else f"model.{precision}.onnx"


_WHERE = {
    "ImageSet": "images",
    "LabelledImage": "images",
    "calibration_set": "images",
    "read_calibration": "images",
    "read_labelled": "images",
    "write_precision": "write",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)
