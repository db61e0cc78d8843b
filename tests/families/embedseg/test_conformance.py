"""EmbedSeg, for images and for volumes, keeps what every family promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from instanseg_export import load_checkpoint
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.images.synthetic import draw_nuclei
from instanseg_export.stages.normalize import rescale
from instanseg_export.testing.family import Array, FamilySuite
from support.embedseg_runs import PROPERTIES, network_with_objects, their_state, write_embedseg_run, write_volume_run


class TestImages(FamilySuite):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, image: Array, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
        normal = rescale(torch.from_numpy(image), torch.tensor(1), 10, 2)
        state = their_state(network_with_objects(normal), 2)
        sizes = {**PROPERTIES[2], "n_y": 72.0, "n_x": 88.0, "min_object_size": 5.0}
        checkpoint = load_checkpoint(write_embedseg_run(tmp_path_factory.mktemp("runs") / "images", 2, state, sizes))
        settings = {**checkpoint.spec.settings, "seed_threshold": 0.6}
        return replace(checkpoint, spec=checkpoint.spec.model_copy(update={"settings": settings}))

    @pytest.fixture(scope="class")
    @classmethod
    def image(cls) -> Array:
        return draw_nuclei(1, 1, 72, 88)[None].astype(np.float32)


class TestVolumes(FamilySuite):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
        return load_checkpoint(write_volume_run(tmp_path_factory.mktemp("runs") / "volumes"))
