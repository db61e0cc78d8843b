"""Sentences about an image, worded once."""

from __future__ import annotations

from pathlib import Path

from .lengths import Stated

__all__ = ["about_pixel_size"]


def about_pixel_size(path: Path, said: Stated) -> tuple[str, tuple[str, ...]]:
    """Return the sentence on an image's pixel size, and those that belong among its notes.

    A pixel size that is understood and square is no assumption, and one that the file does not state is none yet.
    """
    note = f"{path.name} {said.note}."
    remarkable = not said.understood or (said.size is not None and said.size[0] != said.size[1])
    return note, (note,) if remarkable else ()
