"""IAUNet keeps what every family promises."""

from __future__ import annotations

import pytest

from instanseg_export.checkpoints import Checkpoint
from instanseg_export.testing.family import FamilySuite
from support.iaunet_models import RESNET, SWIN, random_checkpoint


class TestIAUNet(FamilySuite):
    @pytest.fixture(scope="class", params=[RESNET, pytest.param(SWIN, marks=pytest.mark.slow)], ids=["resnet", "swin"])
    @classmethod
    def checkpoint(cls, request: pytest.FixtureRequest) -> Checkpoint:
        return random_checkpoint(request.param)
