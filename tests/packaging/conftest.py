"""Genuine checkpoints with their files, and packages made of them; copy a package before you change it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from instanseg_export.checkpoints import Checkpoint, load_checkpoint
from support.packaged import Exported, exported_from
from support.paths import DEMO
from support.sharing import MadeOnce


@pytest.fixture(scope="session")
def demo_checkpoint() -> Checkpoint:
    return load_checkpoint(DEMO)


@pytest.fixture(scope="session")
def demo(demo_package: Path) -> Exported:
    return exported_from(DEMO, demo_package)


@pytest.fixture(scope="session")
def demo_folder(demo: Exported, made_once: MadeOnce) -> Path:
    return made_once("package of the demo", lambda folder: demo.package(folder / "demo")) / "demo"


@pytest.fixture(scope="session")
def channelnet(shared: Path, exported: Callable[[str], Path]) -> Exported:
    """Nuclei and cells, any number of channels, without a card."""
    variant = "nuclei_cells_channelnet"
    return exported_from(shared / "checkpoints" / variant, exported(variant))


@pytest.fixture(scope="session")
def channelnet_folder(channelnet: Exported, made_once: MadeOnce) -> Path:
    return made_once("package of channelnet", lambda folder: channelnet.package(folder / "channelnet")) / "channelnet"


@pytest.fixture(scope="session")
def multihead_folder(shared: Path, exported: Callable[[str], Path], made_once: MadeOnce) -> Path:
    """The options that few checkpoints use."""
    variant = "multihead_seeds2_coords4"
    files = exported_from(shared / "checkpoints" / variant, exported(variant))
    return made_once("package of multihead", lambda folder: files.package(folder / "multihead")) / "multihead"
