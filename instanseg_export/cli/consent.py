"""Asks before a program from elsewhere is run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from ..errors import UntrustedFileError
from ..untrusted.boundary import plain

__all__ = ["with_trust"]

Result = TypeVar("Result")


def with_trust(work: Callable[[bool], Result], trusted: bool) -> Result:
    """Do something with a model that must be trusted; a person at a terminal is asked."""
    try:
        return work(trusted)
    except UntrustedFileError as error:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        sys.stderr.write(f"{plain(error.message)}\nRun it all the same? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise
        return work(True)
