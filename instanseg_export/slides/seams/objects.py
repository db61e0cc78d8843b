"""The objects of one tile, as a table, and what of them other tiles may see too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..box import Box, Tile
from .runs import Runs

__all__ = ["TileObjects", "inner_box", "least_and_most"]

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TileObjects:
    """A row for each object that the model found in one tile; everything is in pixels of the plane.

    D is the number of axes. Where structures are paired, one row stands for an object in all of them and S is their
    number; otherwise each structure has its own rows and S is 1. The *footprint* of an object is its pixels in any of
    its structures. Places count from the outer corner of the plane's first pixel.

    Attributes:
        tile: the tile.
        plane: shape of the plane.
        halo: in pixels.
        structures: how many label maps the tile has.
        paired: whether one id means one object in all of them.
        label: (N,), ids in the tile's label maps.
        structure: (N,), the label map of each; 0 where structures are paired. Rows ascend by structure, then label.
        area: (N,), pixels of the footprint.
        first: (N,), the footprint's first pixel in raster order, as a place in the flattened plane.
        centroid: (N, D), of the footprint.
        depth: (N,), how far the centroid lies inside the core, negative outside of it. Edges of the plane do not count;
            infinite where no other edge is.
        cut: (N,), whether the footprint touches an edge of what the tile sees that is not the plane's.
        sizes: (N, S), pixels in each structure; 0 where an object is not in it.
        centroids: (N, S, D), NaN where an object is not in the structure.
        low, high: (N, S, D), the box around each; empty where an object is not in the structure.
        means: (N, S, C), of each channel; NaN where there are no pixels that are finite numbers.
        rows: further results of the model, by name, (N, ...).
        runs: a list for each layer of the footprints. They hold the objects that lie, if only in part, where another
            tile sees too. An object's pixels are spread over the layers without a double; without pairs, layer t is
            structure t.
    """

    tile: Tile
    plane: tuple[int, ...]
    halo: int
    structures: int
    paired: bool
    label: Integers
    structure: Integers
    area: Integers
    first: Integers
    centroid: npt.NDArray[np.float64]
    depth: npt.NDArray[np.float64]
    cut: npt.NDArray[np.bool_]
    sizes: Integers
    centroids: npt.NDArray[np.float64]
    low: Integers
    high: Integers
    means: npt.NDArray[np.float64]
    runs: tuple[Runs, ...]
    rows: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.label.size)

    @property
    def boxes(self) -> tuple[Integers, Integers]:
        """Return (N, D), the boxes around the footprints."""
        return least_and_most(self.low, self.high, self.sizes > 0)


def least_and_most(low: Integers, high: Integers, there: npt.NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """Return the boxes (N, D) around those boxes (N, S, D) that are there, (N, S)."""
    none = ~there[..., None]
    bounds = np.iinfo(np.int64)
    least = np.where(none, bounds.max, low).min(axis=1, initial=bounds.max)
    return least, np.where(none, 0, high).max(axis=1, initial=0)


def inner_box(tile: Tile, plane: tuple[int, ...], halo: int) -> Box:
    """Return the part of a tile that no other tile sees; its low may exceed its high where there is none.

    Another tile lies beyond this core along some axis, and sees as far as the halo into it.
    """
    low = tuple(start + halo if start > 0 else 0 for start in tile.core.low)
    high = tuple(stop - halo if stop < length else length for stop, length in zip(tile.core.high, plane, strict=True))
    return Box(low, high)
