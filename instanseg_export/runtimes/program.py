"""A runtime's program as a process: started under its guard, listened to within a time limit, and ended."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from .call import Call
from .lines import TOO_LATE, Line, next_line, parse_line, read_lines, read_tail

__all__ = ["End", "Program"]

_GUARD = Path(__file__).resolve().parent / "guard.py"
_WAITING_LINES = 50
_KEPT_OUTPUT = 300
_AFTER_LAST = 10.0
_END_OF_INPUT = b"\0"
"""To the guard, which then ends the program's input."""


@dataclass(frozen=True)
class End:
    """Why a process ended, or has to.

    Attributes:
        reason: in words; it counts for the first image that the process left.
        final: another process would fail in the same way.
        unavailable: the machine lacks something.
    """

    reason: str = ""
    final: bool = False
    unavailable: bool = False


class Program:
    """A process that has been started, and that ends with this one, however this one ends.

    Args:
        call: what it is asked to do.
        images: further arguments; by default it takes its images from :meth:`give`.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, call: Call, images: Sequence[str] = ()) -> None:
        command = [*call.arguments, *(images or ("--stream",))]
        self.ready = False
        self._call = call
        self._streams = not images
        # The guard takes the end of this pipe for our death; without --stream nothing is ever written to it.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD), *(() if images else ("--stream",)), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(call.environment),
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._lines: queue.Queue[bytes] = queue.Queue(maxsize=_WAITING_LINES)
        self._closed = threading.Event()
        self._chatter = b""
        self._complaints = bytearray()
        self._readers = [
            threading.Thread(target=read_lines, args=(self._process.stdout, self._lines, self._closed), daemon=True),
            threading.Thread(target=read_tail, args=(self._process.stderr, self._complaints), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def ended(self) -> bool:
        """Tell whether the process is gone."""
        return self._process.poll() is not None

    def give(self, source: str, destination: str) -> None:
        """Give the program an image; :meth:`listen` tells what became of it, also where the program is gone."""
        self._write(json.dumps({"input": source, "output": destination}).encode() + b"\n")

    def listen(self, waiting: Collection[str], time_limit: float) -> Line | End:
        """Return the next thing that the program says, which is that it is ready, or what became of an image.

        Args:
            waiting: the images that it has been given; what it says of others is nobody's business.
            time_limit: seconds; until the program is ready, it has the runtime's ``start_limit`` on top.

        Returns:
            The line; or why there will be none, and then the program has to be closed.
        """
        limit = time_limit if self.ready else self._call.runtime.start_limit + time_limit
        deadline = time.monotonic() + limit
        while True:
            raw = next_line(self._lines, deadline)
            if raw is TOO_LATE:
                what = "the image was not finished" if self.ready else "the program did not start"
                return End(f"{what} within {limit:g} s, the time limit")
            if not raw:
                return self._why_it_ended()
            line = parse_line(raw)
            if isinstance(line, str):
                self._chatter = (self._chatter + raw)[:_KEPT_OUTPUT] if not line else line.encode()
            elif line.error is not None and line.input is None:
                return End(line.error, final=True, unavailable=line.unavailable)
            elif line.input in waiting or (line.ready and not self.ready):
                self.ready = True
                return line

    def finish(self) -> None:
        """Let the program end by itself, as it should after its last image, and close it."""
        if self._streams:
            self._write(_END_OF_INPUT)
        deadline = time.monotonic() + _AFTER_LAST
        while next_line(self._lines, deadline) not in (b"", TOO_LATE):
            pass
        self.close()

    def close(self) -> None:
        """End the program, with all that it started."""
        self._kill()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._closed.set()
        for reader in self._readers:
            reader.join(timeout=_AFTER_LAST)

    def _write(self, words: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it is gone, as its output will say
            self._process.stdin.write(words)
            self._process.stdin.flush()

    def _why_it_ended(self) -> End:
        try:
            status = self._process.wait(timeout=_AFTER_LAST)
        except subprocess.TimeoutExpired:
            return End("the program closed its output and did not end")
        self._readers[1].join(timeout=_AFTER_LAST)
        return End(_describe(status, self._chatter, bytes(self._complaints)))

    def _kill(self) -> None:
        """Kill it unless it has ended: its number may belong to another program by now."""
        process = self._process
        if process.returncode is not None:
            return
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()


def _describe(status: int, chatter: bytes, complaints: bytes) -> str:
    if status == -getattr(signal, "SIGKILL", 0) < 0:  # not by us, who would not be asking
        fact = "the system killed the program, as it does when it is out of memory"
    elif status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        fact = f"the program crashed ({name})"
    elif status:
        fact = f"the program ended with status {status}"
    else:
        fact = "the program ended without a word on this image"
    last = complaints.decode(errors="replace").strip().splitlines()
    words = chatter.decode(errors="replace").strip()
    if status and last:
        return f"{fact}: {last[-1][:_KEPT_OUTPUT]}"
    return f"{fact}; what it printed is not the protocol: {words!r}" if words else fact
