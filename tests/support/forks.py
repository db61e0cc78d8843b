"""How a fork of a process that has much loaded behaves like a program that was started by itself."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress

__all__ = ["keep_what_is_loaded", "run_as_program", "take_streams"]


def keep_what_is_loaded() -> None:
    """Take what is loaded so far from the garbage collector, which in a fork would copy all of it."""
    gc.collect()
    gc.freeze()


def run_as_program(program: Callable[[], None]) -> int:
    """Run a program as if this process had been started for it, and return its exit status.

    What a process does at its end is done here, but for the interpreter's own: to free all modules, a fork first copies
    them, for a second and more.
    """
    status = 0
    try:
        program()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:
        traceback.print_exc()
        status = 1
    with suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined] # waits for threads, as the interpreter does
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BaseException):
            stream.flush()
    return status


def take_streams(opened: Iterable[int]) -> None:
    """Make three open files, by their descriptors, stdin, stdout and stderr."""
    for number, descriptor in enumerate(opened):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, "r" if number == 0 else "w", encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        for number, errors in enumerate(("strict", "strict", "backslashreplace"))
    )
