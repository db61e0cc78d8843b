"""Fixtures that all tests share: the folder of genuine checkpoints, real images and reference outputs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from support.paths import ROOT, SHARED

# Threads that wait for each other make small images several times slower, most of all on a busy machine. torch reads
# this when it is imported, so nothing above may import it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples everywhere: what fails on one machine fails on all.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

DEMO_COMMAND = ("model_zoo/nuclei_dsb2018/checkpoint.pt", "--targets", "torchscript", "onnx")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither use nor change what this user has built."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTANSEG_EXPORT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with genuine checkpoints, real images and reference outputs."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"needs the shared reference data, which is not at {SHARED} (set INSTANSEG_EXPORT_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def exported(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give, for a name of ``VARIANTS``, the folder with its instanseg.pt and model.onnx; each is exported once."""

    @cache
    def folder_of(variant: str) -> Path:
        from instanseg_export import build_forward, load_checkpoint
        from support.exported_models import write_both

        checkpoint = load_checkpoint(shared / "checkpoints" / variant)
        return write_both(checkpoint, build_forward(checkpoint), tmp_path_factory.mktemp(variant))

    return folder_of


@pytest.fixture(scope="session")
def demo_export(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The folder in which the README's first command ran, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "model_zoo").symlink_to(ROOT / "model_zoo")
    done = subprocess.run(
        [sys.executable, "-m", "instanseg_export", *DEMO_COMMAND],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done


@pytest.fixture(scope="session")
def demo_package(demo_export: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    """The demo, exported. Copy it before you change it."""
    return demo_export[0] / "nuclei_dsb2018"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a small training run with a log."""
    from support.training_runs import write_run

    return write_run(tmp_path / "my_run")
