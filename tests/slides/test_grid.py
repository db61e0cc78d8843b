"""Tiles cover a plane, each of its pixels once."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instanseg_export.errors import SettingError
from instanseg_export.slides.box import Box
from instanseg_export.slides.grid import make_grid


@st.composite
def _grids(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    axes = draw(st.sampled_from([2, 3]))
    plane = tuple(draw(st.integers(1, 60)) for _ in range(axes))
    halo = draw(st.integers(0, 6))
    tile = tuple(2 * halo + draw(st.integers(7, 25) if axes == 3 else st.integers(1, 25)) for _ in range(axes))
    return plane, tile, halo


@settings(deadline=None)
@given(_grids())
def test_cores_partition_the_plane(made: tuple[tuple[int, ...], tuple[int, ...], int]) -> None:
    plane, size, halo = made
    grid = make_grid(plane, size, halo)
    covered = np.zeros(plane, np.int64)
    tiles = list(grid)
    assert [tile.index for tile in tiles] == list(range(len(grid)))
    for tile in tiles:
        covered[tile.core.slices] += 1
        assert tile.core.size > 0
        assert tile == grid[tile.index]
        for axis in range(len(plane)):
            assert tile.seen.shape[axis] == min(size[axis], plane[axis] - tile.seen.low[axis])
            assert tile.seen.low[axis] == 0 or tile.core.low[axis] - tile.seen.low[axis] == halo
            assert tile.seen.high[axis] == plane[axis] or tile.seen.high[axis] - tile.core.high[axis] == halo
            assert (tile.core.low[axis] > 0) == (tile.seen.low[axis] > 0)
            assert tile.core.high[axis] == plane[axis] or tile.seen.high[axis] > tile.core.high[axis] or halo == 0
    assert (covered == 1).all()


@settings(deadline=None)
@given(_grids(), st.data())
def test_seeing(made: tuple[tuple[int, ...], tuple[int, ...], int], data: st.DataObject) -> None:
    plane, size, halo = made
    grid = make_grid(plane, size, halo)
    low = tuple(data.draw(st.integers(0, length - 1)) for length in plane)
    high = tuple(data.draw(st.integers(start + 1, length)) for start, length in zip(low, plane, strict=True))
    box = Box(low, high)
    assert grid.seeing(box) == [tile.index for tile in grid if tile.seen.within(box).size]


def test_order_slices_and_copies() -> None:
    grid = make_grid((3000, 5000), 1024, 80)
    assert grid.counts == (4, 6)
    assert grid[-1].core.high == (3000, 5000)
    assert [tile.index for tile in grid[2:5]] == [2, 3, 4]
    assert pickle.loads(pickle.dumps(grid)) == grid
    with pytest.raises(IndexError):
        grid[24]


@pytest.mark.parametrize(("tile", "halo"), [(100, 50), (10, -1), (0, 0), ((10, 10, 10), 1)])
def test_tiles_without_a_middle_are_refused(tile: int, halo: int) -> None:
    with pytest.raises(SettingError):
        make_grid((500, 500), tile, halo)
