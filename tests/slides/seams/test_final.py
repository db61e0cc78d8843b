"""The objects of the result, one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from instanseg_export.images.objects import measure
from instanseg_export.slides.box import Box, Tile
from instanseg_export.slides.seams.decide import decide
from instanseg_export.slides.seams.final import final_objects
from instanseg_export.slides.seams.objects import TileObjects
from instanseg_export.slides.seams.paint import paint
from support.planted_shapes import Labels, Planted, planes


class _Held:
    """The results of all tiles in memory."""

    def __init__(self, plane: Planted, *, exact: bool) -> None:
        self._maps = {tile.index: (plane.exact if exact else plane.erratic)(tile) for tile in plane.grid.tiles}
        self._tables = {}
        for tile in plane.grid.tiles:
            labels = self._maps[tile.index]
            truth = plane.maps[-1][tile.seen.slices]
            # Each label's row is the planted object that it lies in.
            rows = np.zeros(int(labels.max(initial=0)), dtype=np.int64)
            rows[labels[-1][labels[-1] > 0] - 1] = truth[labels[-1] > 0]
            pixels = truth[None].astype(np.float32)
            self._tables[tile.index] = plane.found(tile, labels, pixels=pixels, rows={"truth": rows})

    def objects(self, index: int) -> TileObjects:
        return self._tables[index]

    def labels(self, tile: Tile) -> Labels:
        return self._maps[tile.index]


@settings(max_examples=50, deadline=None)
@given(planes(), st.booleans(), st.booleans())
def test_they_are_those_of_the_final_label_map(plane: Planted, exact: bool, in_order: bool) -> None:
    held = _Held(plane, exact=exact)
    decision = decide((held.objects(tile.index) for tile in plane.grid.tiles), plane.grid)
    final = paint(Box.of(plane.grid.shape), decision, plane.grid, held.labels)
    found = list(final_objects(decision, plane.grid, held, in_order=in_order))
    drawn = np.zeros_like(final)
    for structure, each in enumerate(final):
        measured = measure(each, np.empty((0, *each.shape)))
        parts = [
            (one.id, one.parts[structure if plane.paired else 0])
            for one in found
            if plane.paired or one.structure == structure
        ]
        if in_order:
            ids = [number for number, _ in parts]
            assert ids == list(range(1, len(ids) + 1))
        there = sorted(((number, part) for number, part in parts if part is not None), key=lambda pair: pair[0])
        assert [number for number, _ in there] == measured.labels.tolist()
        for place, (number, part) in enumerate(there):
            box = Box(part.low, tuple(np.add(part.low, part.mask.shape).tolist()))
            drawn[structure][box.slices][part.mask] = number
            assert part.size == part.mask.sum() == measured.sizes[place]
            assert part.low == tuple(measured.low[place])
            assert part.mask.shape == tuple(measured.high[place] - measured.low[place])
            assert np.allclose(part.centroid, measured.centroids[place])
    assert (drawn == final).all()


@settings(max_examples=40, deadline=None)
@given(planes())
def test_rows_and_means_follow_their_objects(plane: Planted) -> None:
    held = _Held(plane, exact=True)
    decision = decide((held.objects(tile.index) for tile in plane.grid.tiles), plane.grid)
    for one in final_objects(decision, plane.grid, held):
        if plane.paired or one.structure == plane.maps.shape[0] - 1:  # the map that the rows are of
            part = one.parts[-1]
            assert part is not None
            truth = plane.maps[-1][tuple(np.argwhere(part.mask)[0] + part.low)]
            assert one.rows["truth"] == truth
            assert np.allclose(part.means, truth)
