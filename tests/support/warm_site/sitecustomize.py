"""Lets a runner in Python run as a fork of a process that has loaded PyTorch; see ``support.warm_runners``.

Python imports this file when it starts, before the program. It has only the standard library, and not much of that.
"""

import os
import sys


def _is_runner() -> bool:
    """Tell whether this process is to run the program of a runtime in Python."""
    from pathlib import Path

    script = Path(sys.orig_argv[1])
    return (script.parent.parent / "_shared" / "runner_protocol.py").is_file()


def _run_as_fork(address: str) -> None:
    """Hand arguments, environment, folder and streams over, and end as the fork does; return if nobody listens."""
    import json
    import signal
    import socket
    from pathlib import Path

    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
        except OSError:
            return
        asked = {"script": sys.orig_argv[1], "arguments": sys.orig_argv[2:], "folder": str(Path.cwd())}
        words = json.dumps({**asked, "variables": dict(os.environ)}).encode()
        socket.send_fds(connection, [len(words).to_bytes(8, "big")], [0, 1, 2])
        connection.sendall(words)
        for stream in (0, 1, 2):  # they end when the fork's do
            os.close(stream)
        status = int(connection.makefile().readline() or "70")
    if status < 0:
        if -status not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


if "WARM_RUNNERS" in os.environ and "".join(sys.orig_argv[1:2]).endswith("runner.py") and _is_runner():
    _run_as_fork(os.environ["WARM_RUNNERS"])
