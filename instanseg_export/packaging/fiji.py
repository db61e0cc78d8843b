"""ImageJ macros that travel with a model: one prepares an image for it, the others show what it found."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

__all__ = ["MACROS", "write_macros"]

MACROS = ("colour_labels.ijm", "labels_to_rois.ijm", "prepare_image.ijm")
_DEFAULT_TARGETS = 'newArray("nuclei", "cells")'
_DEFAULT_CHANNELS = "wanted = 0;"


def write_macros(folder: Path, targets: Sequence[str], channels: int | None) -> None:
    """Write the macros into ``folder``, with the names of the model's targets and its channels (None: any number)."""
    quoted = ", ".join(f'"{target}"' for target in targets)
    for name in MACROS:
        text = (files(__package__) / "macros" / name).read_text(encoding="utf-8")
        text = text.replace(_DEFAULT_TARGETS, f"newArray({quoted})")
        text = text.replace(_DEFAULT_CHANNELS, f"wanted = {channels or 0};")
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
