"""The final label map of any window, from the label maps of the tiles that see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..box import Box, Tile
from ..grid import Grid
from .decision import Decision

__all__ = ["paint"]

LabelMaps = Callable[[Tile], npt.NDArray[Any]]
"""Gives the label maps (T, *seen) of a tile."""

_NOBODY = np.iinfo(np.uint32).max


def paint(box: Box, decision: Decision, grid: Grid, labels: LabelMaps) -> npt.NDArray[np.uint32]:
    """Return the final label maps of a window.

    Where kept objects of several tiles overlap, a pixel goes to the one of the lowest rank. By the rule of
    :mod:`.decide` at least half of the pixels of each kept view stay. Where structures are paired, the tile whose
    object wins a pixel decides it in all structures, so that a nucleus never lies in another cell than its own.

    Args:
        box: of the plane; what lies outside of it is background.
        decision: for all tiles that see the window, or more.
        grid: the tiles.
        labels: gives the label maps of a tile; it is not asked for those without a kept object.

    Returns:
        (T, *box), the final ids, 0 for background. The same pixels are the same in every window.
    """
    inside = box.within(Box.of(grid.shape))
    ranks = np.full((decision.structures, *box.shape), _NOBODY, dtype=np.uint32)
    for tile in grid.overlapping(inside.grown(grid.halo).within(Box.of(grid.shape))) if inside.size else []:
        window = tile.seen.within(inside)
        rows = decision.rows_of(tile.index)
        if window.size and rows.start < rows.stop:
            seen = labels(tile)[(slice(None), *window.shifted(_minus(tile.seen.low)).slices)]
            target = ranks[(slice(None), *window.shifted(_minus(box.low)).slices)]
            _merge(target, _ranks(seen, decision, rows), paired=decision.paired)
    return _ids(ranks, decision)


def _minus(low: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-start for start in low)


def _ranks(labels: npt.NDArray[np.uint32], decision: Decision, rows: slice) -> npt.NDArray[np.uint32]:
    """Return the rank of the kept object at each pixel of a tile."""
    table = np.full((decision.structures, int(labels.max(initial=0)) + 1), _NOBODY, dtype=np.uint32)
    label, structure, rank = decision.label[rows], decision.structure[rows], decision.rank[rows]
    held = label < table.shape[1]
    if decision.paired:
        table[:, label[held]] = rank[held]
    else:
        table[structure[held], label[held]] = rank[held]
    return np.stack([table[place][each] for place, each in enumerate(labels)])


def _merge(target: npt.NDArray[np.uint32], ranks: npt.NDArray[np.uint32], *, paired: bool) -> None:
    """Give each pixel to the lower rank."""
    if paired and ranks.shape[0] > 1:
        won = ranks.min(axis=0) < target.min(axis=0)
        np.copyto(target, ranks, where=won[None])
    else:
        np.minimum(target, ranks, out=target)


def _ids(ranks: npt.NDArray[np.uint32], decision: Decision) -> npt.NDArray[np.uint32]:
    """Turn ranks into ids, in place."""
    present = int(decision.rank.max(initial=0))
    ids = np.zeros(present + 2, dtype=np.uint32)
    ids[decision.rank] = decision.id
    ranks[ranks == _NOBODY] = present + 1
    for each in ranks:
        np.take(ids, each, out=each, mode="clip")
    return ranks
