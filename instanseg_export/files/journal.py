"""What this process has put in place: so that what is said after an interruption is true."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["forget_written", "note_written", "written_paths"]

_WRITTEN: list[Path] = []


def note_written(path: Path) -> None:
    """Note that an output is in its place."""
    if path not in _WRITTEN:
        _WRITTEN.append(path)


def written_paths() -> tuple[Path, ...]:
    """Return the outputs that are in place, in their order.

    Parts of an output go into a folder for work in progress first, and are gone with it after an interruption.
    """
    return tuple(path for path in _WRITTEN if os.path.lexists(path))


def forget_written() -> None:
    """Start anew, as for another command in the same process."""
    _WRITTEN.clear()
