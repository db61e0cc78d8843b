"""One process at a time in the folder of a training."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import TrainingError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["alone_in"]


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, which the operating system takes away however the process ends.

    Raises:
        TrainingError: another process holds it.
        OSError: the folder cannot be written to.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TrainingError(
                f"Another process trains in {folder}.", hint="Wait for it, end it, or choose another --output."
            ) from error
        yield
    finally:
        os.close(descriptor)
