"""Which files of reduced precision there are: of which precision, and made of which target's file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from ...errors import ExportError, UnknownNameError
from ...registry import closest

__all__ = ["PRECISIONS", "REDUCED", "Reduced", "check_precisions", "reduced_file"]

PRECISIONS = {
    "fp32": "32-bit floats throughout; always written",
    "fp16": "the network in 16-bit floats: half the file",
    "int8": "the network's convolutions in 8-bit integers: faster on CPUs, a third of the file",
}
"""Each precision, and what it means."""


@dataclass(frozen=True)
class Reduced:
    """A file of reduced precision.

    Attributes:
        target: the name of the target whose fp32 file it is made of.
        precision: of its network.
        reference: the name of that fp32 file.
    """

    target: str
    precision: str
    reference: str

    @property
    def name(self) -> str:
        """By which lists of files call it."""
        return f"{self.target}-{self.precision}"

    @property
    def filename(self) -> str:
        """Of the file, or folder, in a package."""
        fp32 = PurePath(self.reference)
        return f"{fp32.stem}.{self.precision}{fp32.suffix}"


REDUCED = (
    Reduced("onnx", "fp16", "model.onnx"),
    Reduced("onnx", "int8", "model.onnx"),
    Reduced("coreml", "fp16", "model.mlpackage"),
)
"""All that can be written."""

_FILES = {"onnx": "the ONNX file", "coreml": "the Core ML program"}


def check_precisions(names: Sequence[str], targets: Sequence[str]) -> list[Reduced]:
    """Return the files of reduced precision that are asked for, each once.

    Args:
        names: of precisions. Each is written of every target's file that it can be made of.
        targets: names of the targets that are exported.

    Raises:
        UnknownNameError: there is no such precision; the hint suggests the closest one.
        ExportError: none of the targets is one that a precision is made of.
    """
    found = []
    for name in dict.fromkeys(names):
        if name not in PRECISIONS:
            guess = closest(name, PRECISIONS)
            suggestion = f"Did you mean {guess!r}? " if guess else ""
            raise UnknownNameError(
                f"There is no precision called {name!r}.", hint=f"{suggestion}Known are: {', '.join(PRECISIONS)}."
            )
        if name == "fp32":
            continue
        possible = [one for one in REDUCED if one.precision == name]
        chosen = [one for one in possible if one.target in targets]
        if not chosen:
            raise ExportError(
                f"{name} is made from {' or '.join(_FILES[one.target] for one in possible)}, "
                f"but the targets are {', '.join(targets)}.",
                hint=f"Add {' or '.join(one.target for one in possible)} to --targets.",
            )
        found += chosen
    return found


def reduced_file(target: str, precision: str) -> Reduced:
    """Return the file of a precision that is made of a target's.

    Raises:
        KeyError: there is none.
    """
    known = {(one.target, one.precision): one for one in REDUCED}
    return known[target, precision]
