"""A small segmenter as a TorchScript file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_model import TinySegmenter

from instanseg_export.images.named import NamedImage


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sound instanseg.pt."""
    folder = tmp_path_factory.mktemp("package")
    torch.jit.script(TinySegmenter()).save(folder / "instanseg.pt")
    return folder


@pytest.fixture(scope="session")
def squares() -> NamedImage:
    """Nine bright squares on a dark ground, and a tenth that touches the border; (2, 2, 64, 80), two alike images."""
    image = np.full((2, 2, 64, 80), 10.0, dtype=np.float32)
    for row in (6, 26, 46):
        for column in (8, 32, 56):
            image[:, :, row : row + 8, column : column + 7 + row // 20] = 200.0
    image[:, :, 30:36, 76:] = 200.0
    return NamedImage("squares", image, "ten squares")
