"""The objects of all tiles, and which of them overlap: what the choice is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from .objects import Integers

__all__ = ["Links", "Mask", "Views"]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Views:
    """All tiles' objects, with what the choice needs of them; see :class:`.TileObjects`.

    Attributes:
        row: (N,), in the tile's table.
        low, high: (N, D), the box around the footprint.
        shared: (N,), whether it lies, if only in part, where another tile sees too.
    """

    tile: Integers
    row: Integers
    label: Integers
    structure: Integers
    area: Integers
    first: Integers
    centroid: npt.NDArray[np.float64]
    depth: npt.NDArray[np.float64]
    cut: Mask
    low: Integers
    high: Integers
    shared: Mask
    structures: int = 1
    paired: bool = False

    def __len__(self) -> int:
        return int(self.tile.size)

    @classmethod
    def joined(cls, parts: Sequence[Views], axes: int, *, structures: int, paired: bool) -> Views:
        """Return all, in order of tiles and rows."""
        columns = {}
        for name in (one.name for one in fields(cls) if one.name not in ("structures", "paired")):
            found = [getattr(part, name) for part in parts]
            if not found:
                kind = {"centroid": np.float64, "depth": np.float64, "cut": np.bool_, "shared": np.bool_}
                shape = (0, axes) if name in ("centroid", "low", "high") else (0,)
                found = [np.zeros(shape, dtype=kind.get(name, np.int64))]
            columns[name] = np.concatenate(found)
        order = np.argsort(columns["tile"], kind="stable")
        return cls(structures=structures, paired=paired, **{name: all_[order] for name, all_ in columns.items()})


@dataclass(frozen=True, eq=False)
class Links:
    """Pairs of different tiles' objects that share pixels.

    Attributes:
        one, two: (L,), their places.
        shared: (L,), pixels that both have.
        smaller: (L,), pixels of the smaller one; where both are cut, of those that both tiles see.
        parts: (L,), whether both are cut and parts of one object.
    """

    one: Integers
    two: Integers
    shared: Integers
    smaller: Integers
    parts: Mask

    @classmethod
    def none(cls) -> Links:
        """Return no pairs."""
        empty = np.zeros(0, dtype=np.int64)
        return cls(empty, empty, empty, empty, np.zeros(0, dtype=bool))

    @classmethod
    def joined(cls, parts: Sequence[Links]) -> Links:
        """Return all pairs."""
        found = parts or [cls.none()]
        return cls(**{one.name: np.concatenate([getattr(part, one.name) for part in found]) for one in fields(cls)})

    def moved(self, place: Integers) -> Links:
        """Return the pairs by new places."""
        return Links(place[self.one], place[self.two], self.shared, self.smaller, self.parts)

    def of(self, which: Mask) -> Links:
        """Return some of them."""
        return Links(self.one[which], self.two[which], self.shared[which], self.smaller[which], self.parts[which])
