"""The demo's files for servers, with a static file beside the one for any size."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from instanseg_export import export_server


@pytest.fixture(scope="session")
def both_files(demo_package: Path, demo_static: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both files, as an export to both formats writes them."""
    folder = tmp_path_factory.mktemp("both") / "nuclei_dsb2018"
    folder.mkdir()
    shutil.copy(demo_package / "model.onnx", folder)
    shutil.copy(demo_static, folder)
    return folder


@pytest.fixture(scope="session")
def server(both_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What export_server writes for both."""
    return export_server(both_files, output=tmp_path_factory.mktemp("servers") / "server").folder
