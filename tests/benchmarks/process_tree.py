"""A command, how long it takes, and the memory of all its processes together."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

__all__ = ["Cost", "cost_of"]

_BETWEEN = 0.2


@dataclass(frozen=True)
class Cost:
    """Of a command.

    Attributes:
        seconds: from its start to its end.
        peak_mb: in MB of 10^6 bytes: the most that it and all processes it started held at one time. Memory that
            several share counts once (PSS under Linux).
        printed: on stdout.
    """

    seconds: float
    peak_mb: float
    printed: str


def cost_of(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command and look at its processes five times a second.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    peak = 0.0
    ended = threading.Event()

    def watch(root: psutil.Process) -> None:
        nonlocal peak
        while not ended.wait(_BETWEEN):
            with suppress(psutil.Error):
                peak = max(peak, sum(map(_held, [root, *root.children(recursive=True)])))

    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        watcher = threading.Thread(target=watch, args=(psutil.Process(process.pid),))
        watcher.start()
        try:
            printed, _ = process.communicate()
        finally:
            ended.set()
            watcher.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command), printed)
    return Cost(time.perf_counter() - started, peak / 1e6, printed)


def _held(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(memory, "pss", memory.uss))
