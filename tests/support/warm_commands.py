"""``instanseg-export`` in processes that start warm: forks of one that has loaded what commands load.

Loading PyTorch takes two seconds, and the tests run several hundred commands. Each of them is still a process of its
own, with its own arguments, folder, environment and streams. How a cold process behaves (what it loads, what it does
with signals and odd streams while it does) is tested with cold ones.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TextIO

from support.forks import keep_what_is_loaded, run_as_program, take_streams
from support.processes import environment

__all__ = ["WarmCommands"]

_LOADED = (
    "torch",
    "torch._dynamo",
    "onnxscript",
    "bioimageio.core",
    "tifffile",
    "skimage.measure",
    "instanseg_export.cli",
)
"""Not ONNX Runtime: it starts a thread, and what that holds when the process forks is never let go."""

_STATUS = "status "


class WarmCommands:
    """Runs commands as forks of one process, which it starts for the first of them."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[str] | None = None

    def run(self, arguments: list[str], folder: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run ``instanseg-export`` with arguments in a folder and an environment, and return what it printed."""
        if not hasattr(os, "fork"):
            command = [sys.executable, "-m", "instanseg_export", *arguments]
            return subprocess.run(command, cwd=folder, env=dict(variables), capture_output=True, text=True, check=False)
        server = self._server = self._server or _start()
        assert server.stdin is not None
        assert server.stdout is not None
        with tempfile.TemporaryDirectory() as place:
            streams = [str(Path(place) / name) for name in ("stdout", "stderr")]
            asked = {
                "arguments": arguments,
                "folder": str(folder),
                "variables": dict(variables),
                "streams": streams,
            }
            server.stdin.write(json.dumps(asked) + "\n")
            server.stdin.flush()
            answer = server.stdout.readline()
            assert answer.startswith(_STATUS), f"the process that forks has ended: {answer!r}"
            printed = [Path(stream).read_text(encoding="utf-8", errors="surrogateescape") for stream in streams]
        return subprocess.CompletedProcess(arguments, int(answer[len(_STATUS) :]), *printed)

    def close(self) -> None:
        """End the process that forks."""
        if self._server is not None:
            self._server.communicate()


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "support.warm_commands"],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _serve(requests: TextIO, answers: TextIO) -> None:
    for name in _LOADED:
        importlib.import_module(name)
    keep_what_is_loaded()
    for line in requests:
        child = os.fork()
        if child == 0:
            os._exit(run_as_program(partial(_become, json.loads(line))))
        _, status = os.waitpid(child, 0)
        answers.write(f"{_STATUS}{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


def _become(asked: dict[str, object]) -> None:
    """Become the command: its folder, environment, streams and arguments."""
    folder, arguments, variables, streams = (asked[key] for key in ("folder", "arguments", "variables", "streams"))
    assert isinstance(folder, str)
    assert isinstance(arguments, list)
    assert isinstance(variables, dict)
    assert isinstance(streams, list)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    tempfile.tempdir = None
    flags = [os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2]
    take_streams(os.open(name, flag, 0o600) for name, flag in zip((os.devnull, *streams), flags, strict=True))
    sys.argv = ["instanseg-export", *arguments]
    runpy.run_module("instanseg_export", run_name="__main__")


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        _serve(sys.stdin, sys.stdout)
