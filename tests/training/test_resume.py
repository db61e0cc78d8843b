"""A training that is killed at any moment goes on to the same weights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from instanseg_export import load_checkpoint
from support.paths import ROOT
from support.training_cells import CLASSIFIED, POSITIVITY, write_cell_recipe
from support.training_data import write_recipe, write_volume_recipe

pytest.importorskip("pytorch_lightning", reason="needs the extra train")


def _command(recipe: Path, output: Path) -> list[str]:
    program = [sys.executable, "-m", "instanseg_export.training", str(recipe), "--output", str(output)]
    return [*program, "--device", "cpu", "--minutes", "0"]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def _run(recipe: Path, output: Path) -> str:
    done = subprocess.run(
        _command(recipe, output), env=_environment(), capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _state(output: Path) -> dict[str, object]:
    content = torch.load(output / "state.pt", weights_only=True)
    state: dict[str, object] = content["state"]
    return state


def _kill_at(recipe: Path, output: Path, step: int) -> None:
    """Start a training and kill it as soon as its state is of this step or a later one."""
    process = subprocess.Popen(
        _command(recipe, output), env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        deadline = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if int(_state(output)["global_step"]) >= step:  # type: ignore[call-overload]
                    break
            except (FileNotFoundError, RuntimeError, EOFError):
                pass
            time.sleep(0.02)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL


def _volumes(folder: Path, **changes: Any) -> Path:
    return write_volume_recipe(folder, crops={"size": 16, "depth": 8}, **changes)


def _classes(folder: Path, **changes: Any) -> Path:
    pytest.importorskip("timm", reason="needs the extra classify")
    return write_cell_recipe(folder, CLASSIFIED, **changes)


def _positivity(folder: Path, **changes: Any) -> Path:
    pytest.importorskip("timm", reason="needs the extra classify")
    return write_cell_recipe(folder, POSITIVITY, **changes)


@pytest.mark.parametrize(
    "write",
    [
        write_recipe,
        pytest.param(_volumes, marks=pytest.mark.slow),
        pytest.param(_classes, marks=pytest.mark.slow),
        pytest.param(_positivity, marks=pytest.mark.slow),
    ],
    ids=["images", "volumes", "classes of cells", "marker positivity"],
)
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path, write: Callable[..., Path]) -> None:
    recipe = write(tmp_path, optimiser={"steps": 24, "warm_up": 2}, validation={"every": 9, "pictures": 1})
    _run(recipe, tmp_path / "whole")
    halted = tmp_path / "killed"
    _kill_at(recipe, halted, 3)
    killed_at = _state(halted)["global_step"]
    assert 3 <= int(killed_at) < 24  # type: ignore[call-overload]
    (halted / "state.pt.part").write_bytes(b"half of a state")
    _run(recipe, halted)

    first, second = _state(tmp_path / "whole"), _state(halted)
    assert first["global_step"] == second["global_step"] == 24
    for name in ("state_dict", "optimizer_states", "lr_schedulers", "callbacks"):
        _assert_same(first[name], second[name], name)
    for name in ("best.pt", "latest.pt", "losses.csv", "scores.csv"):
        assert (halted / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert load_checkpoint(halted / "best.pt").spec.name == "tiny"


def _assert_same(first: object, second: object, place: str) -> None:
    if isinstance(first, torch.Tensor):
        assert isinstance(second, torch.Tensor)
        assert torch.equal(first, second), place
    elif isinstance(first, dict):
        assert isinstance(second, dict)
        assert list(first) == list(second), place
        for key, value in first.items():
            _assert_same(value, second[key], f"{place}.{key}")
    elif isinstance(first, list):
        assert isinstance(second, list)
        assert len(first) == len(second), place
        for index, value in enumerate(first):
            _assert_same(value, second[index], f"{place}.{index}")
    else:
        assert first == second, place
