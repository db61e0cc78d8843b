"""Programs that were run before anybody asked find what they find when they are asked, and are gone with the block."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from instanseg_export.runtimes import ahead as module
from instanseg_export.runtimes.ahead import run_ahead
from instanseg_export.runtimes.registry import read_runtime
from support.programs import program

Write = Callable[..., Path]

IMAGES = [np.full((1, 2, 8, 8), value, dtype=np.float32) for value in (50.0, 222.0)]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "instanseg.pt"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make some folders all the runtimes that there are, and the machine one with two idle cores."""

    def know(*folders: Path) -> None:
        monkeypatch.setattr(module, "list_runtimes", lambda: [read_runtime(folder) for folder in folders])
        monkeypatch.setattr(module, "is_room", lambda file: True)

    return know


def test_results_come_in_any_order(model: Path, write_runtime: Write, known: Callable[..., None]) -> None:
    slow = write_runtime("slow", source=program(before="time.sleep(1)"))
    known(slow, write_runtime("quick", source=program()), write_runtime("lacking", modules=("no_such_module",)))
    with run_ahead(IMAGES, [1]) as ahead:
        ahead.start("torchscript", model)
        for name in ("quick", "slow"):
            found = ahead.take(name, [0, 1, 1], 2)
            assert found is not None
            assert [int(outcome.labels().sum()) for outcome in found] == [0, 64, 64]
        assert ahead.take("lacking", [0, 1, 1], 2) is None


def test_spare_time_is_used_while_a_program_runs(
    tmp_path: Path, model: Path, write_runtime: Write, known: Callable[..., None]
) -> None:
    """The program waits for what is done in it."""
    started, done = tmp_path / "started", tmp_path / "done"
    waits = f"open({str(started)!r}, 'w').close()\nwhile not os.path.exists({str(done)!r}): time.sleep(0.05)"
    known(write_runtime("waits", source=program(before=waits)))
    with run_ahead(IMAGES, [], spare=lambda: done.touch(exist_ok=False)) as ahead:
        ahead.start("torchscript", model)
        while not started.exists():
            time.sleep(0.05)
        found = ahead.take("waits", [0, 1], None)
        assert found is not None
        assert [outcome.error for outcome in found] == ["", ""]
        ahead.start("torchscript", model)
        assert ahead.take("waits", [0, 1], None) is not None


def test_what_was_not_started_is_not_there(model: Path, write_runtime: Write, known: Callable[..., None]) -> None:
    known(write_runtime("sound", source=program()))
    with run_ahead(IMAGES, []) as ahead:
        assert ahead.take("sound", [0, 1], None) is None
        ahead.start("onnx", model)
        ahead.start("torchscript", model)
        assert ahead.take("sound", [0], None) is None, "it was started on two images"
        assert ahead.take("sound", [0, 1, 1], 2) is None, "there are no samples"
        assert ahead.take("other", [0, 1], None) is None
        assert ahead.take("sound", [0, 1], None) is not None
        assert ahead.take("sound", [0, 1], None) is None, "results are taken once"


def test_a_crash_is_an_outcome(model: Path, write_runtime: Write, known: Callable[..., None]) -> None:
    known(write_runtime("fragile", source=program(during="os.kill(os.getpid(), signal.SIGSEGV)")))
    with run_ahead(IMAGES, []) as ahead:
        ahead.start("torchscript", model)
        found = ahead.take("fragile", [0, 1], None)
    assert found is not None
    assert all("SIGSEGV" in outcome.error for outcome in found)


def test_leaving_the_block_ends_what_runs(
    tmp_path: Path, model: Path, write_runtime: Write, known: Callable[..., None]
) -> None:
    counted = tmp_path / "counted"
    during = f"open({str(counted)!r}, 'a').write('.'); time.sleep(0.5)"
    known(write_runtime("long", source=program(during=during)))
    with run_ahead(IMAGES * 20, []) as ahead:
        ahead.start("torchscript", model)
        deadline = time.monotonic() + 60
        while not counted.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    done = counted.stat().st_size
    assert done < 40
    time.sleep(1.5)
    assert counted.stat().st_size <= done + 1


def test_where_there_is_no_room_nothing_is_started(
    model: Path, write_runtime: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "list_runtimes", lambda: [read_runtime(write_runtime("sound", source=program()))])
    monkeypatch.setattr(module, "_MEMORY_OF_A_PROGRAM", 1e18)
    with run_ahead(IMAGES, []) as ahead:
        ahead.start("torchscript", model)
        assert ahead.take("sound", [0, 1], None) is None
