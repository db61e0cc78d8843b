"""``python -m instanseg_export`` is ``instanseg-export``."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys

from .interruption import hear_signals

__all__ = ["main"]


def main() -> int:
    """Run the command line; an interruption while its modules are still loading has the same words as a later one."""
    status = None
    ended: list[int] = []
    atexit.register(_end, ended)  # before all others, so that it is the last that Python calls
    hear_signals()
    try:
        from .cli import main as run

        status = run()
        _let_go_of_signals()
        ended.append(status)
    except KeyboardInterrupt as error:
        if status is None:  # what comes later has nothing to end any more
            sys.stderr.write("Interrupted: nothing was written.\n")
            return getattr(error, "exit_code", 130)
    return status


def _let_go_of_signals() -> None:
    """Let signals end the program in silence from now on: all is said, and Python's own end would show tracebacks."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and callable(signal.getsignal(number)):  # what nobody is to hear stays unheard
            signal.signal(number, signal.SIG_DFL)


def _end(ended: list[int]) -> None:
    """End the process with the status in the list, if there is one: Python would take each object apart first, which
    takes up to three seconds after an export."""
    if ended:
        for stream in filter(None, (sys.stdout, sys.stderr)):  # a closed one is None
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(ended[0])


if __name__ == "__main__":
    sys.exit(main())
