"""Runners in Python that start warm: as forks of a process that has loaded PyTorch.

Loading PyTorch takes two seconds of a core, and the tests start several hundred runners. Each is still a process of
its own, without this project's package unless its runtime asks for that, and ends as it would by itself. Python itself
hands a runner over when it starts, by ``warm_site/sitecustomize.py``; nothing of the product knows.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.forks import keep_what_is_loaded, run_as_program, take_streams
from support.processes import environment

__all__ = ["warm_runners"]

_SITE = Path(__file__).resolve().parent / "warm_site"


@contextmanager
def warm_runners(folder: Path) -> Iterator[None]:
    """Let all runners that this process and its children start be forks, until the block ends.

    Args:
        folder: for the socket; its path has to be short.
    """
    if not hasattr(os, "pidfd_open"):
        yield
        return
    address = folder / "runners"
    # What the product tells its runners' libraries before they load.
    command = [sys.executable, "-m", "support.warm_runners", str(address)]
    server = subprocess.Popen(command, env=environment(OMP_WAIT_POLICY="passive"), stdin=subprocess.PIPE)
    path = os.pathsep.join(filter(None, [str(_SITE), os.environ.get("PYTHONPATH")]))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WARM_RUNNERS", str(address))
            patch.setenv("PYTHONPATH", path)
            yield
    finally:
        server.communicate()


def _serve(address: str) -> None:
    """Fork for each runner until stdin ends. Whoever connects before all is loaded waits."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    import torch  # noqa: F401

    keep_what_is_loaded()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        readable, _, _ = select.select([0, listener.fileno()], [], [])
        if 0 in readable:
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _mind(connection)
            os._exit(0)
        connection.close()


def _mind(connection: socket.socket) -> None:
    """Fork the runner, tell how it ended, and kill it where the process that it stands for ends before."""
    length, streams, _, _ = socket.recv_fds(connection, 8, 3)
    words = b""
    while len(words) < int.from_bytes(length, "big"):
        words += connection.recv(1 << 16)
    runner = os.fork()
    if runner == 0:
        connection.close()
        os.setpgid(0, 0)
        os._exit(run_as_program(partial(_become, json.loads(words), streams)))
    for stream in (0, 1, 2, *streams):
        os.close(stream)
    ended = os.pidfd_open(runner)
    readable, _, _ = select.select([ended, connection.fileno()], [], [])
    if ended not in readable:
        with suppress(ProcessLookupError):
            os.killpg(runner, signal.SIGKILL)
    _, status = os.waitpid(runner, 0)
    with suppress(OSError):
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _python_path() -> list[str]:
    return list(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))


def _become(asked: dict[str, Any], streams: list[int]) -> None:
    import torch

    os.chdir(asked["folder"])
    before = _python_path()
    os.environ.clear()
    os.environ.update(asked["variables"])
    script, after = asked["script"], _python_path()
    sys.path[:] = [str(Path(script).parent), *after, *(one for one in sys.path[1:] if one not in {*before, *after})]
    take_streams(streams)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    sys.argv = [script, *asked["arguments"]]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    _serve(sys.argv[1])
