"""A command that is interrupted says so in one line, ends with the shell's status for it, and leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.paths import DEMO

_SENT_DURING_AN_IMPORT = """\
import os, sys

class SendsAndSwallows:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            try:
                os.kill(os.getpid(), {number})
                for _ in range(1000):
                    pass
            except BaseException:
                pass

sys.meta_path.insert(0, SendsAndSwallows)
"""

_SENT_DURING_A_CALL = """\
import os, sys

def send_and_swallow(frame, event, argument):
    if event == "call" and frame.f_code.co_name == {function!r} and frame.f_globals.get("__name__") == {module!r}:
        sys.setprofile(None)
        try:
            os.kill(os.getpid(), {number})
            for _ in range(1000):
                pass
        except BaseException:
            pass

sys.setprofile(send_and_swallow)
"""

_NEVER_ENDS = """\
import sys, time

class NeverEnds:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "torch":
            print("hangs", file=sys.stderr, flush=True)
            while True:
                time.sleep(0.1)

sys.meta_path.insert(0, NeverEnds)
"""


def _start(
    folder: Path, environment: dict[str, str], target: str, python_path: str = "", *options: str
) -> subprocess.Popen[str]:
    """Start an export of the demo in a folder ``work``, with its temporary files in ``scratch``."""
    for name in ("work", "scratch"):
        (folder / name).mkdir()
    path = python_path + ":" * bool(python_path) + environment["PYTHONPATH"]
    return subprocess.Popen(
        [sys.executable, "-m", "instanseg_export", str(DEMO), "--targets", target, "--output", "out", *options],
        cwd=folder / "work",
        env={**environment, "TMPDIR": str(folder / "scratch"), "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in the background has told them to ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _assert_interrupted(process: subprocess.Popen[str], folder: Path, number: signal.Signals) -> None:
    _, complaints = process.communicate()
    # Interrupted inside exec(), Python ends itself by the signal after we return: to a shell that is 130 as well.
    assert process.returncode in (128 + number, -number), complaints
    assert "Traceback" not in complaints
    assert complaints.splitlines()[-1] == "Interrupted: nothing was written."
    left = [path.name for name in ("work", "scratch") for path in (folder / name).iterdir()]
    # PyTorch makes the folder of its compiler's cache, empty, wherever it is imported.
    assert [name for name in left if not name.startswith("torchinductor_")] == []


@pytest.mark.parametrize(
    ("number", "steps", "target"),
    [
        (signal.SIGINT, 0, "torchscript"),
        pytest.param(signal.SIGINT, 1, "torchscript", marks=pytest.mark.slow),
        (signal.SIGINT, 2, "torchscript"),
        pytest.param(signal.SIGINT, 3, "torchscript", marks=pytest.mark.slow),
        (signal.SIGINT, 5, "torchscript"),
        (signal.SIGINT, 2, "onnx"),
        (signal.SIGTERM, 2, "torchscript"),
    ],
)
def test_at_a_step(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals, steps: int, target: str
) -> None:
    """The signal comes after so many steps were announced; 0 is somewhere in the imports."""
    process = _start(tmp_path, environment, target)
    assert process.stderr is not None
    for _ in range(steps):
        line = process.stderr.readline()
        assert line.startswith("["), line
    time.sleep(0.7)
    process.send_signal(number)
    _assert_interrupted(process, tmp_path, number)


@pytest.mark.parametrize(
    ("module", "number"),
    [("cyclopts", signal.SIGINT), ("torch._C", signal.SIGTERM), ("onnx", signal.SIGINT), ("yaml", signal.SIGTERM)],
)
def test_during_an_import_that_swallows_it(
    tmp_path: Path, environment: dict[str, str], module: str, number: signal.Signals
) -> None:
    """As libraries do with a bare ``except`` around what they import if they can."""
    (tmp_path / "site").mkdir()
    words = _SENT_DURING_AN_IMPORT.format(module=module, number=int(number))
    (tmp_path / "site" / "sitecustomize.py").write_text(words)
    process = _start(tmp_path, environment, "onnx", str(tmp_path / "site"))
    _assert_interrupted(process, tmp_path, number)


_SCRIPTED = ("torchscript", "torch.jit._recursive", "create_script_module_impl")


@pytest.mark.parametrize(
    ("target", "module", "function", "number", "options"),
    [
        (*_SCRIPTED, signal.SIGINT, ()),
        (*_SCRIPTED, signal.SIGTERM, ("--quiet",)),
        ("torchscript", "json", "dumps", signal.SIGINT, ("--quiet",)),
        pytest.param("onnx", "torch.export", "export", signal.SIGTERM, (), marks=pytest.mark.slow),
        pytest.param("onnx", "torch.export", "export", signal.SIGINT, ("--quiet",), marks=pytest.mark.slow),
    ],
)
def test_during_a_call_that_swallows_it(
    tmp_path: Path,
    environment: dict[str, str],
    target: str,
    module: str,
    function: str,
    number: signal.Signals,
    options: tuple[str, ...],
) -> None:
    """As ``hasattr`` does in C++: TorchScript's compiler asks for attributes in Python."""
    (tmp_path / "site").mkdir()
    words = _SENT_DURING_A_CALL.format(module=module, function=function, number=int(number))
    (tmp_path / "site" / "sitecustomize.py").write_text(words)
    process = _start(tmp_path, environment, target, str(tmp_path / "site"), *options)
    _assert_interrupted(process, tmp_path, number)


def test_an_import_that_never_ends_is_interrupted(tmp_path: Path, environment: dict[str, str]) -> None:
    """As from a network's disk that does not answer."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_NEVER_ENDS)
    process = _start(tmp_path, environment, "onnx", str(tmp_path / "site"))
    assert process.stderr is not None
    assert process.stderr.readline() == "hangs\n"
    process.send_signal(signal.SIGINT)
    _assert_interrupted(process, tmp_path, signal.SIGINT)
