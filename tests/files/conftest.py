"""Places for outputs."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with documents, a training run and images of the user's."""
    for name in ("documents/thesis.txt", "run/model_weights.pth", "run/log.csv", "images/cells.tif", "elsewhere"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("precious")
    return tmp_path
