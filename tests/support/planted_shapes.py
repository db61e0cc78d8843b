"""Small planes with objects of any shape and size, tiles of them, and networks that see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import label

from instanseg_export.slides.box import Box, Tile
from instanseg_export.slides.grid import Grid, make_grid
from instanseg_export.slides.seams.candidates import find_candidates
from instanseg_export.slides.seams.objects import TileObjects

__all__ = ["Planted", "in_raster_order", "of_cores", "planes", "shapes"]

Labels = npt.NDArray[np.int32]


def shapes(shape: tuple[int, ...], seed: int, fill: float, smooth: float, pieces: int) -> Labels:
    """Return connected objects of winding shapes, many of which touch: clouds that random cells divide."""
    random = np.random.default_rng(seed)
    cloud = ndimage.gaussian_filter(random.normal(size=shape), smooth, mode="wrap")
    inside = cloud > np.quantile(cloud, 1 - fill)
    seeds = np.ones(shape, dtype=bool)
    seeds.ravel()[random.integers(0, seeds.size, pieces)] = False
    nearest = ndimage.distance_transform_edt(seeds, return_distances=False, return_indices=True)
    cell = np.ravel_multi_index(tuple(nearest), shape) + 1
    return np.asarray(label(np.where(inside, cell, 0), connectivity=1), dtype=np.int32)


def in_raster_order(labels: npt.NDArray[Any]) -> Labels:
    """Number the objects of a map from 1, in raster order of their first pixels."""
    ids, first = np.unique(labels.ravel(), return_index=True)
    order = ids[np.argsort(first, kind="stable")]
    order = order[order > 0]
    number = np.zeros(int(ids.max(initial=0)) + 1, dtype=np.int32)
    number[order] = np.arange(1, order.size + 1)
    numbered: Labels = number[labels]
    return numbered


def of_cores(shape: tuple[int, ...], core: int | tuple[int, ...], halo: int) -> Grid:
    """Return the tiles whose cores have so many pixels."""
    cores = (core,) * len(shape) if isinstance(core, int) else core
    return make_grid(shape, tuple(size + 2 * halo for size in cores), halo)


@dataclass(frozen=True, eq=False)
class Planted:
    """A plane, its tiles, and what is on it.

    Attributes:
        grid: the tiles.
        maps: (T, *shape), the truth.
        paired: whether one label is one object in all maps.
        seed: of the networks' random numbers.
    """

    grid: Grid
    maps: Labels
    paired: bool
    seed: int

    def expected(self) -> Labels:
        """Return the truth as it is numbered at the end."""
        if not self.paired:
            return np.stack([in_raster_order(each) for each in self.maps])
        numbers = np.zeros(int(self.maps.max(initial=0)) + 1, dtype=np.int32)
        outer = self.maps[-1]  # the inner structure is nested in it
        numbers[outer.ravel()] = in_raster_order(outer).ravel()
        return numbers[self.maps]

    def exact(self, tile: Tile) -> Labels:
        """Return what a network sees that never errs; its numbers differ from tile to tile."""
        seen = self.maps[(slice(None), *tile.seen.slices)]
        return self._shuffled(seen, tile)

    def erratic(self, tile: Tile) -> Labels:
        """Return what a network sees that errs wildly: about half of the tiles have objects of their own."""
        shape = tile.seen.shape
        outer = shapes(shape, self.seed + tile.index, 0.5, 1.5, max(1, tile.seen.size // 40))
        truth = self.maps[-1][tile.seen.slices]
        mixed = np.where(np.random.default_rng(self.seed + tile.index).random() < 0.5, outer, truth)
        maps = [mixed]
        for _ in self.maps[1:]:
            inner = ndimage.binary_erosion(mixed > 0)
            maps.insert(0, np.where(inner, mixed, 0))
        return self._shuffled(np.stack(maps).astype(np.int32), tile)

    def _shuffled(self, seen: Labels, tile: Tile) -> Labels:
        random = np.random.default_rng([self.seed, tile.index])
        result = np.zeros_like(seen)
        for group in [slice(None)] if self.paired else [slice(part, part + 1) for part in range(seen.shape[0])]:
            ids = np.unique(seen[group])
            ids = ids[ids > 0]
            numbers = np.zeros(int(ids.max(initial=0)) + 1, dtype=np.int32)
            numbers[ids] = random.permutation(ids.size) + 1
            result[group] = numbers[seen[group]]
        return result

    def found(self, tile: Tile, labels: Labels, **more: Any) -> TileObjects:
        """Return the table of a tile."""
        shape, halo = self.grid.shape, self.grid.halo
        return find_candidates(tile, labels, plane=shape, halo=halo, paired=self.paired, **more)


@st.composite
def planes(draw: st.DrawFn, *, halo: int = 1) -> Planted:
    """Draw planes of images and volumes, with one or two structures, in tiles of any size."""
    axes = draw(st.sampled_from([2, 2, 3]))
    longest = 48 if axes == 2 else 16
    shape = draw(st.tuples(*[st.integers(1, longest)] * axes))
    tile = draw(st.tuples(*[st.integers(2, longest)] * axes))
    seed = draw(st.integers(0, 1 << 20))
    smooth, fill = draw(st.sampled_from([0.7, 1.5, 4.0])), draw(st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]))
    pieces = draw(st.integers(1, 60))
    outer = shapes(shape, seed, fill, smooth, pieces)
    kind = draw(st.sampled_from(["one", "paired", "apart"]))
    if kind == "one":
        maps = outer[None]
    elif kind == "paired":  # some objects have no inner part, as some cells have no nucleus
        inner = np.where(ndimage.minimum_filter(outer, 3) == ndimage.maximum_filter(outer, 3), outer, 0)
        maps = np.stack([inner, outer])
    else:
        maps = np.stack([shapes(shape, seed + 1, fill, smooth, pieces), outer])
    plane = Planted(of_cores(shape, tile, draw(st.integers(halo, 8))), maps, kind == "paired", seed)
    assert plane.grid.tiles[0].core.low == Box.of(shape).low
    return plane
