"""Genuine checkpoints, exported once, and packages made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from instanseg_export.checkpoints import Checkpoint, load_checkpoint
from support.packaged import Exported, export
from support.paths import DEMO


@pytest.fixture(scope="session")
def demo_checkpoint() -> Checkpoint:
    return load_checkpoint(DEMO)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export(DEMO, tmp_path_factory.mktemp("exported_demo"))


@pytest.fixture(scope="session")
def demo_folder(demo: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of the demo; copy it before you change it."""
    return demo.package(tmp_path_factory.mktemp("packages") / "demo")


@pytest.fixture(scope="session")
def channelnet(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Nuclei and cells, any number of channels, without a card."""
    return export(shared / "checkpoints" / "nuclei_cells_channelnet", tmp_path_factory.mktemp("exported_channelnet"))


@pytest.fixture(scope="session")
def channelnet_folder(channelnet: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return channelnet.package(tmp_path_factory.mktemp("packages") / "channelnet")


@pytest.fixture(scope="session")
def multihead_folder(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The options that few checkpoints use."""
    exported = export(
        shared / "checkpoints" / "multihead_seeds2_coords4", tmp_path_factory.mktemp("exported_multihead")
    )
    return exported.package(tmp_path_factory.mktemp("packages") / "multihead")
