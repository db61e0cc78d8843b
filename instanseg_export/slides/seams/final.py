"""The objects of the result one by one, as files of objects are written from them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..box import Box, Tile
from ..grid import Grid
from .decision import Decision
from .objects import Integers, TileObjects
from .paint import paint

__all__ = ["FinalObject", "Part", "Results", "final_objects"]


class Results(Protocol):
    """Gives what the tiles hold, as :class:`.TileResults` does."""

    def objects(self, index: int, /) -> TileObjects:
        """Return the table of a tile."""

    def labels(self, tile: Tile, /) -> npt.NDArray[Any]:
        """Return the label maps of a tile."""


@dataclass(frozen=True, eq=False)
class Part:
    """An object in one structure, in pixels of the plane.

    Attributes:
        low: the pixel at which ``mask`` starts.
        mask: its pixels in the final label map.
        size: their number.
        centroid: (D,), counted from the outer corner of the plane's first pixel.
        means: (C,), of each channel over the pixels that the tile saw; see :func:`final_objects`.
    """

    low: tuple[int, ...]
    mask: npt.NDArray[np.bool_]
    size: int
    centroid: npt.NDArray[np.float64]
    means: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FinalObject:
    """One object of the result.

    Attributes:
        id: in the final label map.
        structure: the label map; 0 where structures are paired.
        parts: one for each structure where they are paired, None where the object is not in it; otherwise one.
        rows: what else the model says of it, by name.
        cut: no tile saw it whole.
    """

    id: int
    structure: int
    parts: tuple[Part | None, ...]
    rows: Mapping[str, Any]
    cut: bool


def final_objects(decision: Decision, grid: Grid, results: Results, *, in_order: bool = True) -> Iterator[FinalObject]:
    """Yield each object of the result once.

    Sizes, places and masks are those of the final label map. Means and rows are those of the tile whose view was kept:
    where another object took some of the pixels, the means still have them. Those of an object that was put together
    are the parts' means, weighted by their pixels, and the rows of its largest part.

    Args:
        decision: of :func:`.decide`.
        grid: the tiles.
        results: of the tiles.
        in_order: of ids, in each structure. That holds about one row of tiles' objects in memory; otherwise they come
            tile by tile.
    """
    following = [1] * decision.structures
    held: list[list[tuple[int, FinalObject]]] = [[] for _ in following]
    for tile in grid.tiles:
        rows = decision.rows_of(tile.index)
        if rows.start == rows.stop:
            continue
        for found in _of_tile(tile, rows, decision, grid, results):
            if not in_order:
                yield found
                continue
            waiting = held[found.structure]
            heapq.heappush(waiting, (found.id, found))
            while waiting and waiting[0][0] == following[found.structure]:
                following[found.structure] += 1
                yield heapq.heappop(waiting)[1]


def _of_tile(tile: Tile, rows: slice, decision: Decision, grid: Grid, results: Results) -> Iterator[FinalObject]:
    objects, labels = results.objects(tile.index), results.labels(tile)
    places = _table_rows(objects, decision, rows)
    for row, place in zip(range(rows.start, rows.stop), places.tolist(), strict=True):
        if decision.stitched[row]:
            mine = np.flatnonzero((decision.id == decision.id[row]) & (decision.structure == decision.structure[row]))
            if mine[0] == row:  # the others of its parts are dealt with here
                yield _painted(mine, decision, grid, results)
        elif decision.contested[row]:
            yield _painted(np.array([row]), decision, grid, results)
        else:
            yield FinalObject(
                id=int(decision.id[row]),
                structure=int(decision.structure[row]),
                parts=tuple(_part(objects, place, part, labels) for part in range(objects.sizes.shape[1])),
                rows={name: values[place] for name, values in objects.rows.items()},
                cut=bool(decision.cut[row]),
            )


def _table_rows(objects: TileObjects, decision: Decision, rows: slice) -> Integers:
    """Return where kept objects of a tile stand in its table."""
    most = int(objects.label.max(initial=0)) + 1
    keys = objects.structure.astype(np.int64) * most + objects.label
    return np.searchsorted(keys, decision.structure[rows] * most + decision.label[rows]).astype(np.int64)


def _part(objects: TileObjects, place: int, part: int, labels: npt.NDArray[Any]) -> Part | None:
    """Cut an object that nothing else touched out of its tile."""
    size = int(objects.sizes[place, part])
    if not size:
        return None
    low, high = objects.low[place, part].tolist(), objects.high[place, part].tolist()
    origin = objects.tile.seen.low
    window = tuple(slice(a - shift, b - shift) for a, b, shift in zip(low, high, origin, strict=True))
    structure = part if objects.paired else int(objects.structure[place])
    mask = labels[structure][window] == objects.label[place]
    return Part(tuple(low), mask, size, objects.centroids[place, part], objects.means[place, part])


def _painted(mine: Integers, decision: Decision, grid: Grid, results: Results) -> FinalObject:
    """Measure an object whose pixels are not those of one tile's view."""
    tables = {index: results.objects(index) for index in np.unique(decision.tile[mine]).tolist()}
    views = []
    for row in mine.tolist():
        objects = tables[int(decision.tile[row])]
        views.append((objects, int(_table_rows(objects, decision, slice(row, row + 1))[0])))
    boxes = [(objects.boxes[0][place], objects.boxes[1][place]) for objects, place in views]
    low = np.min([box[0] for box in boxes], axis=0)
    window = Box(tuple(low.tolist()), tuple(np.max([box[1] for box in boxes], axis=0).tolist()))
    painted = paint(window, decision, grid, results.labels)
    number, structure = int(decision.id[mine[0]]), int(decision.structure[mine[0]])
    largest, at = max(views, key=lambda view: view[0].area[view[1]])
    return FinalObject(
        id=number,
        structure=structure,
        parts=tuple(
            _remeasured(painted[part if decision.paired else structure] == number, low, part, views)
            for part in range(largest.sizes.shape[1])
        ),
        rows={name: values[at] for name, values in largest.rows.items()},
        cut=bool(decision.cut[mine].any()),
    )


def _remeasured(
    mask: npt.NDArray[np.bool_], low: Integers, part: int, views: list[tuple[TileObjects, int]]
) -> Part | None:
    where = np.nonzero(mask)
    if not where[0].size:
        return None
    start = np.array([along.min() for along in where])
    held = tuple(slice(int(along.min()), int(along.max()) + 1) for along in where)
    weights = np.array([objects.sizes[place, part] for objects, place in views], dtype=np.float64)
    means = np.array([objects.means[place, part] for objects, place in views])
    shares = np.where(np.isfinite(means), weights[:, None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(shares > 0, means * weights[:, None], 0.0).sum(axis=0) / shares.sum(axis=0)
    return Part(
        low=tuple((low + start).tolist()),
        mask=mask[held],
        size=int(where[0].size),
        centroid=np.array([float(along.mean()) for along in where], dtype=np.float64) + low + 0.5,
        means=mean,
    )
