"""All tiles of a run, given to Dask a few at a time, until each has a file or a reason why it has none."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import ImageError, PackageError
from ..box import Tile
from .cluster import Cluster
from .events import RunEvent, Tally
from .needs import Needs
from .tile_files import TileFiles
from .work import TileReport, TileWork

if TYPE_CHECKING:
    from distributed import Future

__all__ = ["TilesDone", "run_tiles"]

_IN_FLIGHT = 4
"""Tiles for each thread of the cluster that are submitted and have not ended. More would only fill the scheduler's
memory; fewer would let workers wait for the next one."""

_PATIENCE = 0.05
"""Seconds between looks at what has ended."""

_LOOK = 2.0
"""Seconds between looks at how many workers there are."""

_HOPELESS = 8
"""So many tiles that failed, and none that did not, end a run: the others would fare alike."""

_CONTINUE = "Finished tiles are kept: continue with --resume."


@dataclass(frozen=True)
class TilesDone:
    """What became of all tiles.

    Attributes:
        finished: reports of the tiles that have a file, by index; an empty one for a tile of an earlier run whose
            journal was lost.
        failed: reports of those that have none, by index.
        reused: how many were finished by earlier runs.
        seconds: that this run took.
    """

    finished: dict[int, TileReport]
    failed: dict[int, TileReport]
    reused: int
    seconds: float


@dataclass
class _State:
    """A run in progress."""

    cluster: Cluster
    name: str
    files: TileFiles
    tally: Tally
    strict: bool
    finished: dict[int, TileReport]
    failed: dict[int, TileReport] = field(default_factory=dict)
    suspects: list[Tile] = field(default_factory=list)


def run_tiles(
    cluster: Cluster,
    work: TileWork,
    tiles: Sequence[Tile],
    files: TileFiles,
    needs: Needs,
    *,
    strict: bool = False,
    tell: Callable[[RunEvent], None] = lambda event: None,
) -> TilesDone:
    """Do all tiles that have no file yet.

    The tiles' files are the same bytes whatever the cluster, the order, the interruptions and the workers lost.

    Args:
        cluster: to do it on.
        work: what to do.
        tiles: all of them, with indices of their own.
        files: where the results go; workers see the folder at the same path.
        needs: what the workers must have.
        strict: end the run with the first tile that fails.
        tell: is given events, in this thread.

    Returns:
        What became of the tiles. One that fails does not end the run, unless ``strict`` or the first ones all fail.

    Raises:
        ImageError: a tile failed and ``strict`` is set.
        PackageError: the first tiles all failed.
        OutputError: the disk is full.
        RuntimeUnavailableError: there are no workers any more, or the scheduler is gone.
        InstansegExportError: a worker cannot do this work at all.
    """
    start = time.monotonic()
    there = files.finished() & {tile.index for tile in tiles}
    noted = files.noted()
    before = {
        index: noted[index] if index in noted and not noted[index].fault else TileReport(index)
        for index in sorted(there)
    }
    tally = Tally({tile.index: tile.core.size for tile in tiles}, before, cluster.dashboard, tell)
    state = _State(cluster, f"tiles-{uuid.uuid4().hex}", files, tally, strict, dict(before))
    tally.start(cluster.threads())
    cluster.require(needs)
    if waiting := [tile for tile in tiles if tile.index not in there]:
        with cluster.plugged_in(state.name, work, files, needs):
            _spread(state, deque(waiting))
            # A worker that dies is held against all tiles that it had been given. Alone, a tile shows what it does.
            for tile in state.suspects:
                _spread(state, deque([tile]), alone=True)
    if state.failed and not state.finished:
        raise _all_failed(state)
    tally.end()
    return TilesDone(
        finished=dict(sorted(state.finished.items())),
        failed=dict(sorted(state.failed.items())),
        reused=len(before),
        seconds=time.monotonic() - start,
    )


def _spread(state: _State, waiting: deque[Tile], *, alone: bool = False) -> None:
    """Keep the workers busy until no tile waits and none is in flight."""
    at_work: dict[Any, tuple[Future[TileReport], Tile]] = {}
    ended = state.cluster.completed()
    threads, looked = state.cluster.threads(), time.monotonic()
    try:
        while waiting or at_work:
            room = min(max(_IN_FLIGHT * threads, 1) - len(at_work), len(waiting))
            new = state.cluster.submit(state.name, [waiting.popleft() for _ in range(room)])
            at_work |= {future.key: (future, tile) for future, tile in new}
            ended.update(future for future, _ in new)
            del new  # a future that is held keeps its result on its worker, which has it computed again if that dies
            keys = [future.key for future in ended.next_batch(block=False)]
            for key in keys:
                future, tile = at_work.pop(key)
                if (report := state.cluster.result(future, tile)) is not None:
                    _settle(state, tile, report, alone)
                else:
                    at_work[key] = future, tile
                    ended.add(future)
                del future
            if not keys:
                time.sleep(_PATIENCE)
            if not threads or time.monotonic() - looked > _LOOK:
                threads, looked = state.cluster.threads(), time.monotonic()
                state.tally.see_workers(threads)
    finally:
        state.cluster.cancel(future for future, _ in at_work.values())


def _settle(state: _State, tile: Tile, report: TileReport, alone: bool) -> None:
    """Take what became of a tile.

    Raises:
        InstansegExportError: it ends the run.
    """
    if report.fault == "killer" and not alone:
        state.suspects.append(tile)
        return
    if report.fault == "run":
        raise report.error(_CONTINUE)
    state.files.note(report)
    state.tally.count(report)
    if not report.fault:
        state.finished[tile.index] = report
        return
    state.failed[tile.index] = report
    if state.strict:
        raise ImageError(
            f"The tile {tile.index} at {_place(tile)} failed: {report.reason}.",
            hint=f"Without --strict it is left out. {_CONTINUE}",
        )
    if not state.finished and len(state.failed) >= _HOPELESS:
        raise _all_failed(state)


def _all_failed(state: _State) -> PackageError:
    first = state.failed[min(state.failed)]
    return PackageError(
        f"All tiles that ended failed, {len(state.failed):,} of them, the first because {first.reason}.",
        hint="Segment a small --region of the image with `run` to see whether model and image are sound.",
    )


def _place(tile: Tile) -> str:
    return ", ".join(
        f"{axis} {low:,} to {high:,}"
        for axis, low, high in zip("zyx"[-len(tile.core.low) :], tile.core.low, tile.core.high, strict=True)
    )
