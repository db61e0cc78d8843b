"""ImageJ macros that travel with a model; clients run them on its output."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

__all__ = ["MACROS", "write_macros"]

MACROS = ("colour_labels.ijm", "labels_to_rois.ijm")
_DEFAULT_TARGETS = 'newArray("nuclei", "cells")'


def write_macros(folder: Path, targets: Sequence[str]) -> None:
    """Write the macros into ``folder``, with the names of the model's targets."""
    quoted = ", ".join(f'"{target}"' for target in targets)
    for name in MACROS:
        text = (files(__package__) / "macros" / name).read_text(encoding="utf-8")
        (folder / name).write_text(
            text.replace(_DEFAULT_TARGETS, f"newArray({quoted})"), encoding="utf-8", newline="\n"
        )
