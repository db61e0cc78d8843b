"""ImageJ macros that travel with a model: one prepares an image for it, the others show what it found."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

__all__ = ["MACROS", "write_macros"]

MACROS = ("colour_labels.ijm", "labels_to_rois.ijm", "prepare_image.ijm")
_DEFAULT_STRUCTURES = 'newArray("nuclei", "cells")'
_DEFAULT_CHANNELS = "wanted = 0;"


def write_macros(folder: Path, structures: Sequence[str], channels: int | None, dimensions: int = 2) -> list[str]:
    """Write the macros into ``folder``.

    Args:
        folder: to write to.
        structures: names of what the model segments.
        channels: of its images; None for any number.
        dimensions: 2, or 3 for volumes, of which ImageJ's ROIs know nothing: they only get the colours.

    Returns:
        The names of the files.
    """
    quoted = ", ".join(f'"{structure}"' for structure in structures)
    names = MACROS if dimensions == 2 else MACROS[:1]
    for name in names:
        text = (files(__package__) / "macros" / name).read_text(encoding="utf-8")
        text = text.replace(_DEFAULT_STRUCTURES, f"newArray({quoted})")
        text = text.replace(_DEFAULT_CHANNELS, f"wanted = {channels or 0};")
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return list(names)
