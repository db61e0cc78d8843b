"""What runs on a worker of Dask: a plugin that keeps the work open, and the function that does one tile with it."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distributed import WorkerPlugin, get_worker

from ...errors import ImageError, InstansegExportError, PackageError
from ...plain_text import plain
from ...untrusted.boundary import out_of_memory
from ..box import Tile
from .needs import Needs, unfit
from .tile_files import TileFiles
from .work import Fault, OpenWork, TileReport, TileWork

if TYPE_CHECKING:
    from distributed import Worker

__all__ = ["IgnoreInterrupts", "TilePlugin", "do_tile"]

_SETTLED = 1.0
"""Seconds before a worker's first tile: Dask's nanny does not restart a worker that dies while it is being started."""


class TilePlugin(WorkerPlugin):
    """Keeps the work open on a worker, once for each of its threads that does tiles.

    Dask makes it anew on each worker, also on those that join later or take the place of one that died. The work is
    opened with a thread's first tile: to load a model here would hold up the worker's heartbeat.

    Args:
        name: of the run; a scheduler may serve others too.
        work: to do.
        files: where the results go.
        needs: what a worker must have.
    """

    def __init__(self, name: str, work: TileWork, files: TileFiles, needs: Needs) -> None:
        self.name = name
        self.work = work
        self.files = files
        self.needs = needs

    def setup(self, worker: Worker) -> None:
        """Begin with nothing open."""
        self._lock = threading.Lock()
        self._idle: list[OpenWork] = []
        self._began = time.monotonic()

    def teardown(self, worker: Worker) -> None:
        """Close what is open."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def opened(self) -> Iterator[OpenWork]:
        """Yield the work for one thread."""
        with self._lock:
            work = self._idle.pop() if self._idle else None
        if work is None:
            if lacking := self.needs.lacking():
                raise unfit(get_worker().address, lacking)
            work = self.work.open()
            time.sleep(max(0.0, self._began + _SETTLED - time.monotonic()))
        try:
            yield work
        finally:
            with self._lock:
                self._idle.append(work)

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "work": self.work, "files": self.files, "needs": self.needs}


class IgnoreInterrupts(WorkerPlugin):
    """Leaves Ctrl-C, which a terminal sends to all processes, to the one that ends the others."""

    def setup(self, worker: Worker) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def do_tile(name: str, tile: Tile) -> TileReport:
    """Do one tile on this worker.

    Args:
        name: of the run, whose plugin is here.
        tile: the tile.

    Returns:
        What became of it. Nothing is raised: errors do not travel as they are, and Dask must not try again by itself.
    """
    start = time.perf_counter()
    worker = get_worker()
    plugin = worker.plugins.get(name)
    if not isinstance(plugin, TilePlugin):
        return TileReport(tile.index, "run", f"The worker {worker.address} does not know the run.", "Start it again.")
    try:
        with plugin.opened() as work:
            counts = dict(plugin.files.write(tile.index, lambda path: work.do(tile, path)))
    except InstansegExportError as error:
        fault: Fault = "tile" if isinstance(error, ImageError | PackageError) else "run"
        reason = error.message if fault == "run" else error.message.rstrip(".")
        report = TileReport(tile.index, fault, reason, error.hint, type(error).__name__)
    except Exception as error:  # whatever a reader or the system raises, the others' tiles may be sound
        report = TileReport(tile.index, "tile", _describe(error))
    else:
        report = TileReport(tile.index, counts=counts)
    return TileReport(**{**vars(report), "seconds": time.perf_counter() - start, "worker": worker.address})


def _describe(error: Exception) -> str:
    if out_of_memory(error):
        return "there was not enough memory"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return plain(f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})")
