"""Seams: where several tiles saw the same object, one view of it stays.

The rule, *own and match*: the tile that holds an object's centroid deepest inside its core knows it best.

1. What a tile saw further than half the halo outside of its core is left out: another tile owns that place, and sees
   it whole and with more around it. Objects wider than the halo, and places that belong to a tile without a result,
   are exempt.
2. All others stand in one total order: whole ones before those that an edge of the tile's view cuts, then by depth,
   then by tile and row.
3. In that order, each is kept unless it shares more than 0.3 of the smaller one's pixels with an object of another tile
   that was kept before it, or half of its own with all of them together. What is left of their overlap is painted in
   the same order, so that at least half of every kept object stays.
4. Objects that no tile sees whole are put together: parts that are cut in two tiles and agree (an IoU of 0.5 or more
   where both tiles see) are one object.

Goldsborough et al. (2024, section 2.7) match objects by their IoU in an overlap of 80 pixels. An IoU misses objects of
which one tile sees a part only, and which of two stays depends on the order of tiles.
``tests/benchmarks/seams.py`` measures both, and others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import OutputError
from ..box import Box, Tile
from ..grid import Grid
from .choice import RULE, Rule, choose
from .decision import Decision
from .objects import Integers, TileObjects
from .runs import Runs, common_pixels
from .views import Links, Views

__all__ = ["decide"]

_SAME_CUT = 0.5
"""IoU, where both tiles see, from which on two parts are of one object. Above it a part has one counterpart at most."""


def decide(tiles: Iterable[TileObjects], grid: Grid, rule: Rule = RULE, *, skipped: Collection[int] = ()) -> Decision:
    """Choose which object of which tile stays, and number them.

    The result does not depend on the order in which tiles come. In raster order, the least memory is needed: besides
    some 150 bytes per object, the runs of one row of tiles.

    Args:
        tiles: of the grid; those that never come count as failed, but for the skipped ones.
        grid: the grid.
        rule: its numbers.
        skipped: tiles that nobody segments, since no object counts whose centroid lies in their cores.

    Raises:
        OutputError: a tile is none of the grid, comes twice, or has other structures than the first.
    """
    gathered = _Gathered(grid, frozenset(skipped))
    for objects in tiles:
        gathered.add(objects)
    return choose(gathered.views(), gathered.links(), grid, gathered.missing(), rule)


@dataclass(frozen=True, eq=False)
class _Part:
    """What of a tile is needed until all its neighbours have come."""

    tile: Tile
    offset: int
    runs: tuple[Runs, ...]
    area: Integers
    cut: npt.NDArray[np.bool_]


class _Gathered:
    """The tiles that have come so far."""

    def __init__(self, grid: Grid, skipped: frozenset[int]) -> None:
        self._grid = grid
        self._skipped = skipped
        self._plane = Box.of(grid.shape)
        self._waiting: dict[int, _Part] = {}
        self._waits_for: dict[int, set[int]] = {}
        self._come: dict[int, int] = {}
        self._columns: list[Views] = []
        self._links: list[Links] = []
        self._kind: tuple[int, bool] | None = None
        self._count = 0

    def add(self, objects: TileObjects) -> None:
        """Take one tile, and compare it with those of its neighbours that have come."""
        self._check(objects)
        tile = objects.tile
        low, high = objects.boxes
        shared = np.zeros(len(objects), dtype=bool)
        for runs in objects.runs:
            shared[runs.row] = True
        self._columns.append(
            Views(
                tile=np.full(len(objects), tile.index),
                row=np.arange(len(objects)),
                label=objects.label.astype(np.int64),
                structure=objects.structure.astype(np.int64),
                area=objects.area.astype(np.int64),
                first=objects.first.astype(np.int64),
                centroid=objects.centroid.astype(np.float64),
                depth=objects.depth.astype(np.float64),
                cut=objects.cut.astype(bool),
                low=low.astype(np.int64),
                high=high.astype(np.int64),
                shared=shared,
            )
        )
        part = _Part(tile, self._count, objects.runs, objects.area, objects.cut)
        self._come[tile.index] = self._count
        self._count += len(objects)
        around = {other.index for other in self._neighbours(tile)}
        for other in sorted(around & self._waiting.keys()):
            self._links.append(self._compare(self._waiting[other], part))
            self._waits_for[other].discard(tile.index)
            if not self._waits_for[other]:
                del self._waiting[other], self._waits_for[other]
        ahead = around - self._come.keys() - self._skipped
        if ahead:
            self._waiting[tile.index], self._waits_for[tile.index] = part, ahead

    def views(self) -> Views:
        """Return the objects of all tiles in order of tiles, whenever they came."""
        structures, paired = self._kind or (1, False)
        return Views.joined(self._columns, len(self._grid.shape), structures=structures, paired=paired)

    def links(self) -> Links:
        """Return what overlaps, by the places of :meth:`views`."""
        links = Links.joined(self._links)
        sizes = np.array([len(columns) for columns in self._columns], dtype=np.int64)
        order = np.argsort([int(index) for index in self._come], kind="stable")
        starts = np.zeros(sizes.size, dtype=np.int64)
        starts[order] = np.cumsum(sizes[order]) - sizes[order]
        moved = np.repeat(starts, sizes) + np.concatenate([np.arange(size) for size in sizes] or [np.arange(0)])
        return links.moved(moved.astype(np.int64))

    def missing(self) -> tuple[int, ...]:
        """Return the tiles that should have come."""
        there = self._come.keys() | self._skipped
        return tuple(index for index in range(len(self._grid.tiles)) if index not in there)

    def _check(self, objects: TileObjects) -> None:
        index, grid = objects.tile.index, self._grid
        fits = 0 <= index < len(grid.tiles) and grid.tiles[index] == objects.tile
        if not fits or objects.plane != grid.shape or objects.halo != grid.halo:
            raise OutputError(
                f"The result of tile {index} is of another division into tiles.",
                hint="Choose another output folder, or delete this one: it belongs to a run with other settings.",
            )
        if index in self._come:
            raise OutputError(f"There are two results of tile {index}.", hint="Delete the folder, and run again.")
        kind = (objects.structures, objects.paired)
        if self._kind is not None and kind != self._kind:
            raise OutputError(
                f"The result of tile {index} has other structures than those before it.",
                hint="Choose another output folder, or delete this one: it belongs to a run with other settings.",
            )
        self._kind = kind

    def _neighbours(self, tile: Tile) -> list[Tile]:
        """Return the other tiles that see a part of what a tile sees."""
        around = self._grid.overlapping(tile.seen.grown(self._grid.halo).within(self._plane))
        return [one for one in around if one.index != tile.index and one.seen.within(tile.seen).size]

    def _compare(self, one: _Part, two: _Part) -> Links:
        """Return what two tiles' objects have in common."""
        window, plane, paired = (
            one.tile.seen.within(two.tile.seen),
            self._grid.shape,
            bool(self._kind and self._kind[1]),
        )
        ours = [runs.inside(window, plane) for runs in one.runs]
        theirs = [runs.inside(window, plane) for runs in two.runs]
        # Layers without pairs are structures, and nothing is compared across them.
        found = [
            common_pixels(left, right)
            for place, left in enumerate(ours)
            for other, right in enumerate(theirs)
            if (paired or place == other) and len(left) and len(right)
        ]
        if not found:
            return Links.none()
        rows, columns, shared = (np.concatenate(parts) for parts in zip(*found, strict=True))
        if len(found) > 1:
            keys, places = np.unique(rows * two.area.size + columns, return_inverse=True)
            shared = np.bincount(places.ravel(), weights=shared, minlength=keys.size).astype(np.int64)
            rows, columns = keys // two.area.size, keys % two.area.size
        both = one.cut[rows] & two.cut[columns]
        area, other_area = one.area[rows], two.area[columns]
        if both.any():  # of objects that both tiles cut, only what both see can be compared
            seen = np.sum([runs.areas(one.area.size) for runs in ours], axis=0)
            other_seen = np.sum([runs.areas(two.area.size) for runs in theirs], axis=0)
            area = np.where(both, seen[rows], area)
            other_area = np.where(both, other_seen[columns], other_area)
        parts = both & (shared >= _SAME_CUT * (area + other_area - shared))
        return Links(
            one=rows + one.offset,
            two=columns + two.offset,
            shared=shared,
            smaller=np.minimum(area, other_area),
            parts=parts,
        )
