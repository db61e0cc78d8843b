"""Both families of two stages keep what every family promises."""

from __future__ import annotations

import numpy as np
import pytest

from instanseg_export import load_checkpoint
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.images import read_image
from instanseg_export.testing.family import Array, FamilySuite
from support.paths import DEMO_IMAGES
from support.two_stage_models import SEGMENTATION, classified_recipe, positivity_recipe

pytest.importorskip("torchvision")
pytest.importorskip("timm")


class Cells(FamilySuite):
    @pytest.fixture(scope="class")
    @classmethod
    def image(cls) -> Array:
        """Stained nuclei."""
        return read_image(DEMO_IMAGES / "histology.png").array[None, :3, 40:104, 60:136].astype(np.float32)


class TestClassified(Cells):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
        return load_checkpoint(classified_recipe(tmp_path_factory.mktemp("classified")))


class TestPositivity(Cells):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
        return load_checkpoint(positivity_recipe(tmp_path_factory.mktemp("positivity"), SEGMENTATION))
