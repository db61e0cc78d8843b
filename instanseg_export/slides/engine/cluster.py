"""Dask's workers, as far as a run needs them; what goes wrong with them is said in words."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ...errors import RuntimeUnavailableError
from ...plain_text import plain
from ..box import Tile
from .needs import Needs, unfit
from .tile_files import TileFiles
from .work import TileReport, TileWork

if TYPE_CHECKING:
    from distributed import Client, Future, as_completed

__all__ = ["Cluster"]

_FETCH = 5.0
"""Seconds in which a worker that is alive hands over a report."""


class Cluster:
    """Workers behind a scheduler.

    Args:
        client: that is connected to the scheduler.
        dashboard: the address where a browser sees what they do; empty where there is none.
        patience: seconds without any worker, or without an answer, after which a run ends.
    """

    def __init__(self, client: Client, dashboard: str, patience: float) -> None:
        self.dashboard = dashboard
        self._client = client
        self._patience = patience
        self._none_since: float | None = None
        self._submitted = 0

    def threads(self) -> int:
        """Return how many tiles the workers that are there can do at a time.

        Raises:
            RuntimeUnavailableError: the scheduler is gone, or there has been no worker for too long.
        """
        try:
            threads = int(sum(self._client.nthreads().values()))
        except Exception as error:  # of the connection, the event loop or the scheduler
            raise _lost(error) from error
        if threads:
            self._none_since = None
        elif self._none_since is None:
            self._none_since = time.monotonic()
        elif time.monotonic() - self._none_since > self._patience:
            raise RuntimeUnavailableError(
                f"The scheduler has had no worker for {self._patience:g} s.",
                hint="Start workers, or see why theirs ended. Finished tiles are kept: continue with --resume.",
            )
        return threads

    def require(self, needs: Needs) -> None:
        """Make sure that the workers that are there have what they need.

        Raises:
            RuntimeUnavailableError: one of them has not.
        """

        def version() -> str:  # of this function the code travels, not the name
            try:
                import instanseg_export
            except ImportError:
                return ""
            return str(instanseg_export.__version__)

        for worker, found in self._ask(version).items():
            if not isinstance(found, str):
                raise unfit(worker, f"it does not understand this machine ({plain(found, 100)})")
            if found != needs.version:
                has = f"instanseg-export {plain(found, 40)}, not {needs.version}" if found else "no instanseg-export"
                raise unfit(worker, f"it has {has}")
        for worker, lacking in self._ask(needs.lacking).items():
            if lacking:
                raise unfit(worker, plain(lacking))

    @contextmanager
    def plugged_in(self, name: str, work: TileWork, files: TileFiles, needs: Needs) -> Iterator[None]:
        """Have all workers, also those to come, ready for a run under a name until the block ends.

        Raises:
            RuntimeUnavailableError: the scheduler is gone.
        """
        from .worker import TilePlugin

        try:
            self._client.register_plugin(TilePlugin(name, work, files, needs), name=name)
        except OSError as error:  # all of Dask's for connections are of this kind
            raise _lost(error) from error
        except Exception as error:  # a worker's own: it lacks a module
            raise unfit("of the cluster", f"it cannot take the work ({plain(error, 200)})") from error
        try:
            yield
        finally:
            with suppress(Exception):  # with the scheduler, its workers have ended what was open
                self._client.unregister_worker_plugin(name)

    def completed(self) -> as_completed:
        """Return what gives tasks as they end, none so far."""
        from distributed import as_completed

        return as_completed(loop=self._client.loop)

    def submit(self, name: str, tiles: Sequence[Tile]) -> list[tuple[Future[TileReport], Tile]]:
        """Give tiles to the workers.

        They are submitted together: a scheduler keeps a task back until a worker is free if it belongs to a group with
        many more tasks than there are workers.

        Raises:
            RuntimeUnavailableError: the scheduler is gone.
        """
        from .worker import do_tile

        if not tiles:
            return []
        keys = [(name, self._submitted + place) for place in range(len(tiles))]
        self._submitted += len(tiles)
        try:
            futures = self._client.map(do_tile, [name] * len(tiles), tiles, key=keys, pure=False, retries=0)
        except Exception as error:
            raise _lost(error) from error
        return list(zip(futures, tiles, strict=True))

    def result(self, future: Future[TileReport], tile: Tile) -> TileReport | None:
        """Return what became of a tile; None if its worker died before it could tell, so that it is done again.

        Raises:
            RuntimeUnavailableError: the scheduler is gone, and its memory with it.
        """
        from distributed import KilledWorker

        try:
            report = future.result(timeout=_FETCH)
        except TimeoutError:
            return None
        except KilledWorker as error:
            deaths = error.allowed_failures + 1
            reason = f"{deaths} workers died while they did it (out of memory, or a crash in a library)"
            return TileReport(tile.index, "killer", reason)
        except Exception as error:
            raise _lost(error) from error
        assert isinstance(report, TileReport)
        return report

    def cancel(self, futures: Iterable[Future[TileReport]]) -> None:
        """Have the scheduler forget tasks; those that run end by themselves."""
        with suppress(Exception):
            self._client.cancel(list(futures))

    def _ask(self, question: Any) -> dict[str, Any]:
        try:
            answers: dict[str, Any] = self._client.run(question, on_error="return")
        except Exception as error:
            raise _lost(error) from error
        return answers


def _lost(error: Exception) -> RuntimeUnavailableError:
    fact = plain(f"{type(error).__name__}: {error}", 200).rstrip(".: ")
    return RuntimeUnavailableError(
        f"The scheduler does not answer any more ({fact}).",
        hint="See whether it runs, and why it ended. Finished tiles are kept: continue with --resume.",
    )
