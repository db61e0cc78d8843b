"""Fixtures that all tests share: the folder of genuine checkpoints, real images and reference outputs."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from support.paths import DEMO, ROOT, SHARED
from support.processes import environment
from support.sharing import MadeOnce, maker
from support.warm_commands import WarmCommands
from support.warm_runners import warm_runners

# Threads that wait for each other make small images several times slower, most of all on a busy machine. torch reads
# this when it is imported, so nothing above may import it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples everywhere: what fails on one machine fails on all.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

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


def pytest_configure() -> None:
    """Hear Ctrl-C even where a shell started the tests in the background, which has what it starts ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Spare Python's collector the million objects of loaded libraries, which it would look through all the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither use nor change what this user has built."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTANSEG_EXPORT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _runners_start_warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with warm_runners(tmp_path_factory.mktemp("warm")):
        yield


@pytest.fixture
def cold_runners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runners are children of what starts them, and load all by themselves: for who looks at processes."""
    monkeypatch.delenv("WARM_RUNNERS", raising=False)


@pytest.fixture(scope="session")
def warm_commands() -> Iterator[WarmCommands]:
    """Runs ``instanseg-export`` in processes of their own that start warm."""
    commands = WarmCommands()
    yield commands
    commands.close()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with genuine checkpoints, real images and reference outputs."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"needs the shared reference data, which is not at {SHARED} (set INSTANSEG_EXPORT_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """Give the folder of a name, filled by the first of all processes that asks for it."""
    return maker(tmp_path_factory)


@pytest.fixture(scope="session")
def exported(shared: Path, made_once: MadeOnce) -> Callable[[str], Path]:
    """Give, for a name of ``VARIANTS``, the folder with its instanseg.pt and model.onnx."""

    def folder_of(variant: str) -> Path:
        from instanseg_export import build_forward, load_checkpoint
        from support.exported_models import write_both

        def fill(folder: Path) -> None:
            checkpoint = load_checkpoint(shared / "checkpoints" / variant)
            write_both(checkpoint, build_forward(checkpoint), folder)

        return made_once(variant, fill)

    return folder_of


@pytest.fixture(scope="session")
def demo_export(made_once: MadeOnce) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The folder in which the README's first command ran, and what it printed."""

    def fill(folder: Path) -> None:
        place = folder / "work"
        place.mkdir()
        (place / "model_zoo").symlink_to(ROOT / "model_zoo")
        done = subprocess.run(
            [sys.executable, "-m", "instanseg_export", *DEMO_COMMAND],
            cwd=place,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (folder / "stdout").write_text(done.stdout)
        (folder / "stderr").write_text(done.stderr)

    folder = made_once("demo", fill)
    printed = ((folder / name).read_text() for name in ("stdout", "stderr"))
    return folder / "work", subprocess.CompletedProcess(DEMO_COMMAND, 0, *printed)


@pytest.fixture(scope="session")
def demo_package(demo_export: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    """The demo, exported. Copy it before you change it."""
    return demo_export[0] / "nuclei_dsb2018"


@pytest.fixture(scope="session")
def demo_program(made_once: MadeOnce) -> Path:
    """The demo as a model.pt2."""

    def fill(folder: Path) -> None:
        from instanseg_export import build_forward, load_checkpoint
        from instanseg_export.targets import write_artifact

        checkpoint = load_checkpoint(DEMO)
        write_artifact("exported_program", build_forward(checkpoint), checkpoint, folder / "model.pt2")

    return made_once("demo_program", fill) / "model.pt2"


@pytest.fixture(scope="session")
def demo_static(made_once: MadeOnce) -> Path:
    """The demo as an ONNX file for images of 96 x 128 pixels with room for 40 seeds."""

    def fill(folder: Path) -> None:
        from instanseg_export import build_forward, load_checkpoint
        from instanseg_export.targets import write_artifact
        from instanseg_export.targets.static import StaticShape

        checkpoint, shape = load_checkpoint(DEMO), StaticShape(96, 128, 40)
        write_artifact("onnx_static", build_forward(checkpoint), checkpoint, folder / "model_static.onnx", shape)

    return made_once("demo_static", fill) / "model_static.onnx"


@pytest.fixture(scope="session")
def web_page(made_once: MadeOnce) -> Path:
    """A cache of builds, with the web page in it."""

    def fill(folder: Path) -> None:
        from instanseg_export.progress import Steps
        from instanseg_export.web.built import built_page

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("INSTANSEG_EXPORT_CACHE", str(folder))
            built_page(Steps())

    return made_once("web_page", fill)


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


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a small training run with a log."""
    from support.training_runs import write_run

    return write_run(tmp_path / "my_run")
