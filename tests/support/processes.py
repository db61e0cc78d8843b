"""Programs that tests start, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import instanseg_export
from support.paths import TESTS

__all__ = ["SOURCE", "environment", "run_module"]

SOURCE = Path(instanseg_export.__file__).resolve().parents[1]
"""Where the package that the tests import lies."""


def environment(**more: str) -> dict[str, str]:
    """Return the environment in which a process finds that package and ``support``; ``more`` wins."""
    places = [str(SOURCE), str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1", **more}


def run_module(name: str, *arguments: str | Path, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``python -m name`` with arguments and return what it printed; it may fail."""
    command = [sys.executable, "-m", name, *map(str, arguments)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=timeout)
