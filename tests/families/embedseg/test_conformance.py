"""EmbedSeg, for images and for volumes, keeps what every family promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from instanseg_export import load_checkpoint
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.images.synthetic import draw_nuclei
from instanseg_export.testing.family import FamilySuite
from support.embedseg_runs import network_with_objects, their_state, write_embedseg_run, write_volume_run


class TestImages(FamilySuite):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
        image = torch.from_numpy(draw_nuclei(1, 1, 72, 88).astype(np.float32) / 200)[None]
        state = their_state(network_with_objects(image), 2)
        return load_checkpoint(write_embedseg_run(tmp_path_factory.mktemp("runs") / "images", 2, state))


class TestVolumes(FamilySuite):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
        return load_checkpoint(write_volume_run(tmp_path_factory.mktemp("runs") / "volumes"))
