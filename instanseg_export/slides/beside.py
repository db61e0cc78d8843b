"""Work in a thread beside other work, of which neither outlives a failure of the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from ..progress import Progress

__all__ = ["beside"]


class _StoppedError(Exception):
    """Nobody wants the results any more."""


@contextmanager
def beside(work: Callable[[Progress], None]) -> Iterator[None]:
    """Do work in a thread of its own while the block runs, and wait for it at the end of the block.

    Args:
        work: is given what to tell its progress to, which nobody sees. That is also how it ends early, by an exception,
            where the block has failed or was interrupted.

    Raises:
        Exception: what the work raised.
    """
    unwanted = threading.Event()

    def go_on(what: str, done: int, total: int) -> None:
        if unwanted.is_set():
            raise _StoppedError

    with ThreadPoolExecutor(max_workers=1) as pool:
        job = pool.submit(work, go_on)
        try:
            yield
        except BaseException:
            unwanted.set()
            raise
        job.result()
