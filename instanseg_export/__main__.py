"""``python -m instanseg_export`` is ``instanseg-export``."""

from __future__ import annotations

import signal
import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line; an interruption while its modules are still loading has the same words as a later one."""
    try:
        from .cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: nothing was written.\n")
        return 130
    status = run()
    _let_go_of_signals()
    return status


def _let_go_of_signals() -> None:
    """Let signals end the program in silence from now on: all is said, and Python's own end would show tracebacks."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and callable(signal.getsignal(number)):  # what nobody is to hear stays unheard
            signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
