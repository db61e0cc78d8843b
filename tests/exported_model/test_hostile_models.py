"""Damaged and hostile exported files end in one plain error, in bounded memory and time, and are never executed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from instanseg_export import run, validate
from instanseg_export.api.inspect import inspect
from instanseg_export.errors import InstansegExportError
from instanseg_export.exported_model import open_model
from support import peak
from support.figures import tell
from support.hostile_models.everything import members
from support.hostile_models.parts import Member, write_package

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by what Linux says of a process"),
    pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning"),  # some hostile archives are built so
]

_PATIENCE = 60
_MOST_MEMORY = 300_000_000
"""Bytes that opening one may take beyond what the process has."""


def _open(path: Path) -> None:
    """What ``run``, ``validate`` and ``bench`` do first."""
    with open_model(path):
        pass


@contextmanager
def _alarm(what: str) -> Iterator[None]:
    """Fail, rather than wait for ever, where something waits for ever."""

    def fail(*_: object) -> None:
        raise RuntimeError(f"{what} hangs")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(_PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _refusal(call: Callable[[Path], object], path: Path, member: Member) -> InstansegExportError | None:
    with _alarm(member.name):
        try:
            call(path)
        except InstansegExportError as error:
            return error
    return None


def _check(error: InstansegExportError, path: Path) -> None:
    for text in (error.message, error.hint):
        assert text.isprintable(), repr(text)
        assert "instanseg-export-" not in text, text
        assert len(text) < 2000
    assert error.exit_code == 2
    assert "a defect" not in error.message
    assert path.name.partition("\x1b")[0] in error.message or path.parent.name in error.message


def _open_all(tmp_path: Path, step: int) -> dict[str, int]:
    """Open every ``step``-th member in both ways, and return how that ended, after asserting that nothing was wrong."""
    canary = tmp_path / "canary"
    wrong, tried, refused, most = [], 0, 0, 0
    for number, member in enumerate(members(canary)):
        if number % step:
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        path = member.build(folder)
        tried += 1
        errors = []
        for call in (inspect, _open):
            before = peak.start()
            try:
                error = _refusal(call, path, member)
                errors.append(error)
                if error is not None:
                    _check(error, path)
                elif not member.harmless:
                    wrong.append(f"{member.name}: {call.__name__} opened it")
            except Exception as problem:
                wrong.append(f"{member.name}: {call.__name__}: {type(problem).__name__}: {problem}"[:600])
            taken = peak.taken_since(before)
            most = max(most, taken)
            if taken > _MOST_MEMORY:
                wrong.append(f"{member.name}: {call.__name__} took {taken:,} bytes")
        refused += any(errors)
        shutil.rmtree(folder)
    assert not wrong, f"{len(wrong)} of {tried}:\n" + "\n".join(wrong)
    assert not canary.exists(), "something was executed"
    return {
        "refused": refused,
        "opened with what is hostile ignored": tried - refused,
        "defects": len(wrong),
        "executed": int(canary.exists()),
        "memory at most": round(most / 1e6),
    }


def test_opening_a_third_of_hostile_models_is_refused_in_words(tmp_path: Path) -> None:
    assert _open_all(tmp_path, 3)["refused"] > 120


@pytest.mark.campaign
def test_opening_hostile_models_is_refused_in_words(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    figures = _open_all(tmp_path, 1)
    assert figures["refused"] > 400
    tried = figures["refused"] + figures["opened with what is hostile ignored"]
    tell(record_property, "Hostile exported files and packages", tried, figures)


def test_the_package_that_hostile_ones_are_made_from_is_sound(tmp_path: Path) -> None:
    path = write_package(tmp_path / "package")
    with open_model(path) as exported:
        assert [sample.name for sample in exported.samples] == ["test-input.npy"]
        assert exported.changed == ()
    assert set(inspect(path).files) == {"torchscript", "onnx"}  # type: ignore[union-attr]


WHOLE = (
    "package: test-input.npy is a pipe",
    "package: model.onnx is endless",
    "rdf.yaml: laughs",
    "test-input.npy: a terabyte",
    "zip: a bomb",
    "zip: climbs",
    "ONNX: a tensor in '/etc/passwd'",
    "TorchScript: a description that unpacks to 300 MB",
    "description in ONNX: 10^12 channels",
)


@pytest.mark.parametrize("name", WHOLE)
def test_commands_refuse_them_before_anything_runs(name: str, tmp_path: Path) -> None:
    member = next(member for member in members(tmp_path / "canary") if member.name == name)
    path = member.build(tmp_path)
    np.save(tmp_path / "image.npy", np.zeros((3, 8, 8)))
    for call in (lambda path: validate(path), lambda path: run(path, tmp_path / "image.npy", output=tmp_path / "out")):
        error = _refusal(call, path, member)
        assert error is not None
        _check(error, path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", WHOLE[2:6])
def test_the_command_line_says_so_in_two_lines(name: str, tmp_path: Path) -> None:
    member = next(member for member in members(tmp_path / "canary") if member.name == name)
    path = member.build(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "instanseg_export", "inspect", str(path)],
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]
