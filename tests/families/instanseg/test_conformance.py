"""InstanSeg keeps what every family promises."""

from __future__ import annotations

import pytest

from instanseg_export import load_checkpoint
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.testing.family import FamilySuite
from support.paths import DEMO


class TestInstanSeg(FamilySuite):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls) -> Checkpoint:
        return load_checkpoint(DEMO)
