"""What was written is on the disk before it gets its name."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from .contents import files_in

__all__ = ["flush"]


def flush(path: Path) -> None:
    """See to it that a file, or each file of a folder, is on the disk.

    Raises:
        OSError: it was not written.
    """
    for file in files_in(path):
        with file.open("rb") as stream, suppress(OSError):
            os.fsync(stream.fileno())
