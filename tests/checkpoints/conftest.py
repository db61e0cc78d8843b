"""Files that several tests of this folder need."""

from __future__ import annotations

from pathlib import Path

import pytest

from instanseg_export.checkpoints import Checkpoint, load_checkpoint
from support.training_runs import write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a small training run with a log."""
    return write_run(tmp_path / "my_run")


@pytest.fixture
def checkpoint(run: Path) -> Checkpoint:
    """What that folder holds."""
    return load_checkpoint(run)
