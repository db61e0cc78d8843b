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

# Threads that wait for each other make small images several times slower, most of all on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples everywhere: what fails on one machine fails on all.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

ROOT = Path(__file__).resolve().parent.parent
DEMO_COMMAND = ("model_zoo/nuclei_dsb2018/checkpoint.pt", "--targets", "torchscript", "onnx")
RUNTIME_TOML = """
name = "{name}"
title = "{name}"
description = "for tests"
program = {program}
start_limit = {start_limit}
{more}
[artefact]
target = "torchscript"
filename = "{filename}"
[probe]
modules = {modules}
command = {command}
[install]
hint = "{hint}"
"""
VARIANTS = ("nuclei_batchnorm", "nuclei_cells_channelnet", "multihead_seeds2_coords4")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither use nor change what this user has built."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTANSEG_EXPORT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with genuine checkpoints, real images and reference outputs."""
    folder = Path(os.environ.get("INSTANSEG_EXPORT_SHARED", ROOT.parent / "shared"))
    if not (folder / "golden").is_dir():
        pytest.skip(f"needs the shared reference data, which is not at {folder} (set INSTANSEG_EXPORT_SHARED)")
    return folder


@pytest.fixture(scope="session")
def exported(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give, for a name of ``VARIANTS``, the folder with its instanseg.pt and model.onnx; each is exported once."""

    @cache
    def folder_of(variant: str) -> Path:
        from exported_models import write_both

        from instanseg_export import build_forward, load_checkpoint

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


@pytest.fixture(scope="module")
def write_runtime(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a runtime's folder; ``source`` is its program in Python, by default the TorchScript runner."""

    def write(
        name: str,
        *,
        source: str | None = None,
        filename: str = "instanseg.pt",
        start_limit: float = 60.0,
        modules: tuple[str, ...] = (),
        command: tuple[str, ...] = (),
        hint: str = "pip install it",
        more: str = "",
    ) -> Path:
        folder = tmp_path_factory.mktemp(name)
        from instanseg_export.runtimes.registry import builtin_folder

        program = builtin_folder() / "torchscript" / "runner.py"
        if source is not None:
            program = folder / "program.py"
            program.write_text(source)
        text = RUNTIME_TOML.format(
            name=name,
            program=[sys.executable, str(program)],
            start_limit=start_limit,
            filename=filename,
            modules=list(modules),
            command=list(command),
            hint=hint,
            more=more,
        )
        (folder / "runtime.toml").write_text(text)
        return folder

    return write
