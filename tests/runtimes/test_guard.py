"""Runners end with the process that started them, however it ends, and so does what they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from support.alive import alive, descendants, eventually

Write = Callable[..., Path]

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")

PARENT = """
import sys
from pathlib import Path
from instanseg_export.runtimes.process import run_runtime
from instanseg_export.runtimes.registry import find_runtime, read_runtime
runtime, model, image = sys.argv[1:]
found = read_runtime(Path(runtime)) if "/" in runtime else find_runtime(runtime)
run_runtime(found, Path(model), [Path(image)], [Path(image).with_suffix(".npz")], time_limit=600)
"""

PROGRAM = """
import subprocess, sys, time
from pathlib import Path
child = subprocess.Popen(["sleep", "600"])
Path({note!r}).write_text(str(child.pid))
time.sleep(600)
"""


class Endless(nn.Module):
    """Never comes to an end."""

    def forward(self, image: Tensor) -> Tensor:
        while bool((image > -1.0).all()):
            image = image + 1.0
        return image


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
@pytest.mark.parametrize("kind", ["our runner", "any program"])
def test_runners_die_with_their_parent(tmp_path: Path, write_runtime: Write, kind: str, number: signal.Signals) -> None:
    np.save(tmp_path / "image.npy", np.zeros((1, 1, 64, 64), np.float32))
    model, note = tmp_path / "instanseg.pt", tmp_path / "child"
    torch.jit.save(torch.jit.script(Endless()), model)
    ours = kind == "our runner"
    runtime = "torchscript" if ours else str(write_runtime("sleeper", source=PROGRAM.format(note=str(note))))
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, runtime, str(model), str(tmp_path / "image.npy")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    def busy() -> bool:
        """Whether the program is at work: its child is there, or it has loaded PyTorch and computes."""
        pids = descendants(parent.pid)
        if not ours:
            return note.exists() and note.read_text() != "" and int(note.read_text()) in pids
        return any("libtorch" in Path(f"/proc/{pid}/maps").read_text() for pid in pids)

    assert eventually(busy)
    started = descendants(parent.pid)
    assert len(started) == (2 if ours else 3), "the guard, the program, and what it started"
    parent.send_signal(number)
    parent.wait()
    assert eventually(lambda: not any(alive(pid) for pid in started), 20)


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    guard = Path(__file__).parents[2] / "instanseg_export/runtimes/guard.py"
    done = subprocess.run(
        [sys.executable, str(guard), "no-such-program"], stdin=subprocess.PIPE, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"the program cannot be started" in done.stdout
