"""What several tests of this folder need."""

from __future__ import annotations

from pathlib import Path

import pytest

from instanseg_export.checkpoints import Checkpoint, load_checkpoint


@pytest.fixture
def checkpoint(run: Path) -> Checkpoint:
    """A small training run, read."""
    return load_checkpoint(run)
