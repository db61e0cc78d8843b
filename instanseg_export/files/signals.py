"""Interruptions wait while an output is being put in place or cleaned up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["held_signals"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def held_signals() -> Iterator[None]:
    """Hold back what Python does on a signal until the block has ended.

    Only handlers written in Python are held: what the operating system does by itself, such as SIGKILL, cannot be, and
    whatever it interrupts has to be sound at every instruction. Python runs handlers in the main thread alone, so that
    elsewhere there is nothing to hold.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[tuple[int, FrameType | None]] = []
    held: dict[int, Any] = {}
    try:
        for name in _NAMES:
            number = getattr(signal, name, None)
            handler = None if number is None else signal.getsignal(number)
            if number is not None and callable(handler):
                held[number] = handler
                signal.signal(number, lambda number, frame: waiting.append((number, frame)))
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        if waiting:
            number, frame = waiting[0]
            held[number](number, frame)
