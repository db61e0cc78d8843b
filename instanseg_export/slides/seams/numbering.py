"""The final ids of the objects that were chosen, and what a report says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..grid import Grid
from .decision import SeamCounts
from .objects import Integers
from .views import Mask, Views

__all__ = ["Chosen"]


@dataclass(frozen=True, eq=False)
class Chosen:
    """The kept rows, and which object each is of.

    Attributes:
        rows: (M,), their places among the views.
        group: (M,), the object, from 0 on.
        rank: (M,).
        contested: (M,).
    """

    views: Views
    rows: Integers
    group: Integers
    rank: Integers
    contested: Mask

    def numbers(self) -> Integers:
        """Return (M,) final ids."""
        objects = int(self.group.max(initial=-1)) + 1
        first = np.full(objects, np.iinfo(np.int64).max)
        best = first.copy()
        np.minimum.at(first, self.group, self.views.first[self.rows])
        np.minimum.at(best, self.group, self.rank)  # only where objects overlap can two begin at the same pixel
        structure = np.zeros(objects, dtype=np.int64)
        structure[self.group] = self.views.structure[self.rows]
        order = np.lexsort((best, first, structure))
        number = np.empty(objects, dtype=np.int64)
        starts = np.searchsorted(structure[order], np.arange(self.views.structures))
        number[order] = np.arange(1, objects + 1) - starts[structure[order]]
        return number[self.group]

    def counts(self, grid: Grid, missing: Sequence[int], outside: int) -> SeamCounts:
        """Count what a report says."""
        views, rows = self.views, self.rows
        objects = int(self.group.max(initial=-1)) + 1
        low = np.full((objects, len(grid.shape)), np.iinfo(np.int64).max)
        high = np.zeros_like(low)
        np.minimum.at(low, self.group, views.low[rows])
        np.maximum.at(high, self.group, views.high[rows])
        widths = (high - low).max(axis=1, initial=0)
        near = self._any(views.shared[rows], objects)
        cut = self._any(views.cut[rows], objects)
        at_missing = cut & self._any(self._touches(grid, missing), objects)
        wide = near & (widths > grid.halo) & ~at_missing
        told = wide | (cut & ~at_missing)
        return SeamCounts(
            objects=objects,
            seen=len(views),
            duplicates=len(views) - outside - rows.size,
            outside=outside,
            wide=int(wide.sum()),
            cut=int((cut & ~at_missing).sum()),
            missing=int(at_missing.sum()),
            stitched=int((np.bincount(self.group, minlength=1) > 1).sum()),
            contested=int(self._any(self.contested, objects).sum()),
            widest=int(widths[told].max(initial=0)),
        )

    def _any(self, mask: Mask, objects: int) -> Mask:
        found = np.zeros(objects, dtype=bool)
        found[self.group[mask]] = True
        return found

    def _touches(self, grid: Grid, missing: Sequence[int]) -> Mask:
        """Tell which kept rows are cut and lie at the core of a tile without a result."""
        views, found = self.views, np.zeros(self.rows.size, dtype=bool)
        cut = np.flatnonzero(views.cut[self.rows])
        low, high = views.low[self.rows[cut]], views.high[self.rows[cut]]
        for index in missing:
            core = grid.tiles[index].core
            found[cut[((high >= core.low) & (low <= core.high)).all(axis=1)]] = True
        return found
