"""What takes long to make is made once in a run of the tests, however many processes share the work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

__all__ = ["MadeOnce", "maker"]

MadeOnce = Callable[[str, Callable[[Path], object]], Path]
"""Takes a name and what fills an empty folder, and gives the folder; tests must not change what is in it."""


def maker(factory: pytest.TempPathFactory) -> MadeOnce:
    """Return what makes folders that all processes of this run of the tests share.

    They lie in the run's own temporary folder, so that nothing of an earlier run is ever found.
    """
    place = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # each worker has a folder of its own in that of the run
    place = place / "made_once"
    place.mkdir(exist_ok=True)

    def made_once(name: str, fill: Callable[[Path], object]) -> Path:
        folder, whole = place / name, place / f"{name}.whole"
        with FileLock(place / f"{name}.lock"):
            if not whole.exists():
                shutil.rmtree(folder, ignore_errors=True)  # what another process could not fill
                folder.mkdir()
                fill(folder)
                whole.touch()
        return folder

    return made_once
