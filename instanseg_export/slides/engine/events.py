"""How far a run has come: counted as tiles end, and told to whoever shows it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from .work import TileReport

__all__ = ["RunEvent", "Tally"]

Kind = Literal["start", "tile", "failed", "workers", "done"]


@dataclass(frozen=True)
class RunEvent:
    """What is known of a run at one moment.

    Attributes:
        event: what happened: the run started, a tile was finished or failed, workers came or went, all tiles ended.
        tiles: in all.
        finished: tiles with results, also those of earlier runs.
        failed: tiles without.
        objects: found so far, those near seams maybe more than once.
        megapixels_per_s: pixels of tiles' cores since this run began, in 10^6 a second; 0 before the first.
        left_s: seconds until the last tile ends, at that speed; None before the first.
        workers: that are there.
        dashboard: the address where Dask shows what its workers do; empty where it cannot.
        tile: the one that the event is about; None where it is about none.
        reason: why it failed.
    """

    event: Kind
    tiles: int
    finished: int
    failed: int
    objects: int
    megapixels_per_s: float
    left_s: float | None
    workers: int
    dashboard: str = ""
    tile: int | None = None
    reason: str = ""

    def json(self) -> str:
        """Return the event as one line."""
        return json.dumps(asdict(self))

    def words(self) -> str:
        """Return how far the run has come, as one short line."""
        parts = [f"{self.finished:,} of {self.tiles:,} tiles"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        parts.append(f"{self.objects:,} objects")
        if self.left_s is not None:
            parts += [f"{self.megapixels_per_s:.2g} megapixels/s", f"{_duration(self.left_s)} left"]
        return ", ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Tally:
    """Counts tiles and tells what they add up to.

    Args:
        pixels: of each tile's core, by the tile's index.
        before: what was noted of the tiles that earlier runs finished.
        dashboard: see :class:`RunEvent`.
        tell: is given each event.
    """

    def __init__(
        self,
        pixels: Mapping[int, int],
        before: Mapping[int, TileReport],
        dashboard: str,
        tell: Callable[[RunEvent], None],
    ) -> None:
        self._pixels = pixels
        self._left = sum(size for index, size in pixels.items() if index not in before)
        self._done_pixels = 0
        self._finished = len(before)
        self._failed = 0
        self._objects = sum(report.counts.get("objects", 0.0) for report in before.values())
        self._workers = 0
        self._dashboard = dashboard
        self._tell = tell
        self._began = time.monotonic()

    def start(self, workers: int) -> None:
        """Start the clock."""
        self._began = time.monotonic()
        self._workers = workers
        self._say("start")

    def count(self, report: TileReport) -> None:
        """Count a tile that has ended."""
        self._left -= self._pixels[report.index]
        if report.fault:
            self._failed += 1
            self._say("failed", report.index, report.reason)
        else:
            self._finished += 1
            self._done_pixels += self._pixels[report.index]
            self._objects += report.counts.get("objects", 0.0)
            self._say("tile", report.index)

    def see_workers(self, workers: int) -> None:
        """Tell how many workers there are, if that has changed."""
        if workers != self._workers:
            self._workers = workers
            self._say("workers")

    def end(self) -> None:
        """Tell that all tiles have ended."""
        self._say("done")

    def _say(self, event: Kind, tile: int | None = None, reason: str = "") -> None:
        speed = self._done_pixels / max(time.monotonic() - self._began, 1e-6)
        self._tell(
            RunEvent(
                event=event,
                tiles=len(self._pixels),
                finished=self._finished,
                failed=self._failed,
                objects=int(self._objects),
                megapixels_per_s=round(speed / 1e6, 4),
                left_s=round(self._left / speed, 1) if speed else None,
                workers=self._workers,
                dashboard=self._dashboard,
                tile=tile,
                reason=reason,
            )
        )
