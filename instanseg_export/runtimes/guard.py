"""Runs a program for as long as the process lives that wants it: a program of its own, which imports nothing of ours.

It is called as ``guard.py PROGRAM [ARGUMENT ...]``, as the leader of a process group and with a pipe as its stdin, to
which nobody writes. The pipe ends when the process at its other end does, however it dies; then the program is killed
with all that it started. Its stdout and stderr are the program's, and it ends as the program does, by the same signal
or with the same status.
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading

_PATIENCE = 1.0


def _watch(parent: int, process: "subprocess.Popen[bytes]") -> None:
    """Kill the program when stdin ends or this process has another parent."""
    if sys.platform == "win32":  # which has neither select for pipes nor groups
        while os.read(0, 1024):
            pass
        process.kill()
        return
    while os.getppid() == parent:
        readable, _, _ = select.select([0], [], [], _PATIENCE)
        if readable and not os.read(0, 1024):
            break
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    process.kill()


def _become_silent() -> None:
    """Let go of stdout and stderr, so that they end when the program closes its own."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def main(command: "list[str]") -> int:
    """Run the command and return its status."""
    parent = os.getppid()
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
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
