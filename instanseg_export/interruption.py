"""A signal to end becomes a KeyboardInterrupt: never in the middle of an import, and never one that gets lost."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

__all__ = ["Terminated", "hear_signals", "raise_swallowed"]

_AGAIN_S = 0.02
_PATIENCE_S = 10.0
"""An import that takes longer may never end, as from a disk that does not answer: it is interrupted all the same."""

_heard: dict[int, float] = {}
"""Signals that wait, and since when."""

_raised: list[KeyboardInterrupt] = []
"""What was raised; the program ends by it unless it gets lost."""


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which must clean up like Ctrl-C does."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number


def hear_signals() -> None:
    """Let SIGINT, SIGTERM and SIGHUP interrupt this program, unless it was told to ignore them, as by nohup.

    While a module is being imported they wait, for some seconds: some libraries swallow whatever is raised in their
    imports, so that the interruption would be lost, and others are in C++ then, where an exception of Python's ends the
    program with a dump.
    """
    _raised.clear()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def raise_swallowed() -> None:
    """Raise an interruption again that came before, if there was one: called where work goes on or is about to be kept.

    Nobody comes here after an interruption unless something swallowed it: much of what C++ asks of Python does, as
    ``hasattr`` in TorchScript's compiler, or a destructor.
    """
    if _raised and threading.current_thread() is threading.main_thread():
        raise _raised[0]


def _interrupt(number: int, frame: FrameType | None) -> None:
    since = _heard.setdefault(number, time.monotonic())
    if _imports(frame) and time.monotonic() - since < _PATIENCE_S:
        later = threading.Timer(_AGAIN_S, _raise_again, (number,))
        later.daemon = True
        later.start()
        return
    del _heard[number]
    _raised[:] = [KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)]
    raise _raised[0]


def _raise_again(number: int) -> None:
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:  # it also ends what the main thread waits for by now
        signal.pthread_kill(main, number)
    else:
        signal.raise_signal(number)


def _imports(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False
