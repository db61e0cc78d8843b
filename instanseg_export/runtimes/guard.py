"""Runs a program for as long as the process lives that wants it: a program of its own, which imports nothing of ours.

It is called as ``guard.py [--stream] PROGRAM [ARGUMENT ...]``, as the leader of a process group and with a pipe as its
stdin. The pipe ends when the process at its other end does, however it dies; then the program is killed with all that
it started. With ``--stream`` what comes through the pipe goes to the program's stdin, which ends at a zero byte: thus a
program's input can end while the process that wants it lives. Without it the program has no input. Its stdout and
stderr are the program's, and it ends as the program does, by the same signal or with the same status.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading

_PATIENCE = 1.0
_STREAM = "--stream"
_END = b"\0"


def _watch(parent: int, process: "subprocess.Popen[bytes]") -> None:
    """Pass on what comes through stdin, and kill the program when that ends or this process has another parent."""
    if sys.platform == "win32":  # which has neither select for pipes nor groups
        while words := os.read(0, 1 << 16):
            _pass_on(words, process)
        process.kill()
        return
    while os.getppid() == parent:
        readable, _, _ = select.select([0], [], [], _PATIENCE)
        if not readable:
            continue
        words = os.read(0, 1 << 16)
        if not words:
            break
        _pass_on(words, process)
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    process.kill()


def _pass_on(words: bytes, process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is None or process.stdin.closed:
        return
    words, ended, _ = words.partition(_END)
    with contextlib.suppress(OSError):  # the program no longer reads, as it may
        process.stdin.write(words)
        process.stdin.flush()
    if ended:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _become_silent() -> None:
    """Let go of stdout and stderr, so that they end when the program closes its own."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def main(command: "list[str]") -> int:
    """Run the command and return its status."""
    parent = os.getppid()
    streams = command[0] == _STREAM
    try:
        process = subprocess.Popen(command[streams:], stdin=subprocess.PIPE if streams else subprocess.DEVNULL)
    except OSError as error:
        sys.stdout.write(json.dumps({"error": f"the program cannot be started: {error}", "input": None}) + "\n")
        sys.stdout.flush()
        return 1
    _become_silent()
    threading.Thread(target=_watch, args=(parent, process), daemon=True).start()
    status = process.wait()
    if status < 0 and sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the program's own core is enough
        if -status not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
