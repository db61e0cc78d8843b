"""Seams: every object of a tiled plane once."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instanseg_export.errors import OutputError
from instanseg_export.evaluation.metrics import overlaps
from instanseg_export.slides.box import Box, Tile
from instanseg_export.slides.grid import Grid
from instanseg_export.slides.seams.candidates import find_candidates
from instanseg_export.slides.seams.decide import decide
from instanseg_export.slides.seams.decision import Decision, seam_notes
from instanseg_export.slides.seams.objects import TileObjects
from instanseg_export.slides.seams.paint import paint
from support.planted_shapes import Labels, Planted, of_cores, planes
from support.planted_slides import Noise, plant

Network = Callable[[Tile], Labels]
COLUMNS = ("tile", "structure", "label", "rank", "id", "cut", "contested", "stitched")


def _decided(plane: Planted, network: Network, tiles: Iterable[Tile] | None = None) -> Decision:
    return decide((plane.found(tile, network(tile)) for tile in tiles or plane.grid.tiles), plane.grid)


def _whole(plane: Planted, decision: Decision, network: Network) -> npt.NDArray[np.uint32]:
    return paint(Box.of(plane.grid.shape), decision, plane.grid, network)


@settings(max_examples=120, deadline=None)
@given(planes())
def test_an_exact_network_gives_the_objects_of_the_plane_in_raster_order(plane: Planted) -> None:
    """Whatever their size: those that no tile sees whole are put together."""
    decision = _decided(plane, plane.exact)
    expected = plane.expected()
    assert (_whole(plane, decision, plane.exact) == expected).all()
    assert decision.counts.objects == sum(
        np.unique(each[each > 0]).size for each in (expected[-1:] if plane.paired else expected)
    )
    assert not decision.contested.any()
    assert decision.counts.missing == 0


@settings(max_examples=50, deadline=None)
@given(planes(halo=0), st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_tiles_does_not_matter(plane: Planted, order: random.Random, exact: bool) -> None:
    network = plane.exact if exact else plane.erratic
    tiles = list(plane.grid.tiles)
    first = _decided(plane, network, tiles)
    order.shuffle(tiles)
    second = _decided(plane, network, tiles)
    for name in COLUMNS:
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes(), name
    assert first.counts == second.counts


@settings(max_examples=50, deadline=None)
@given(planes(halo=0))
def test_every_kept_object_is_in_the_map_under_a_consecutive_id(plane: Planted) -> None:
    """However badly the tiles' objects fit each other."""
    decision = _decided(plane, plane.erratic)
    final = _whole(plane, decision, plane.erratic)
    for structure, each in enumerate(final):
        held = final if plane.paired else each
        present = np.unique(held[held > 0])
        assert present.tolist() == list(range(1, decision.count(structure) + 1))
    if plane.paired:  # no nucleus in another cell than its own
        assert ((final[0] == final[1]) | (final[0] == 0)).all()


@settings(max_examples=40, deadline=None)
@given(planes(halo=0), st.data())
def test_a_window_shows_what_the_whole_shows_there(plane: Planted, data: st.DataObject) -> None:
    decision = _decided(plane, plane.erratic)
    final = _whole(plane, decision, plane.erratic)
    low = tuple(data.draw(st.integers(-3, length)) for length in plane.grid.shape)
    box = Box(low, tuple(start + data.draw(st.integers(0, 20)) for start in low))
    around = [tile.index for tile in plane.grid.overlapping(box)]
    window = paint(box, decision.of_tiles(around), plane.grid, plane.erratic)
    margin = [(0, 0), *[(3, 23)] * len(low)]
    padded = np.pad(final, margin)
    assert (window == padded[(slice(None), *box.shifted((3,) * len(low)).slices)]).all()


@settings(max_examples=50, deadline=None)
@given(planes(), st.data())
def test_objects_at_a_failed_tile_are_kept_as_far_as_others_see_them(plane: Planted, data: st.DataObject) -> None:
    tiles = plane.grid.tiles
    failed = data.draw(st.sets(st.integers(0, len(tiles) - 1), min_size=1, max_size=3))
    there = [tile for tile in tiles if tile.index not in failed]
    decision = decide((plane.found(tile, plane.exact(tile)) for tile in there), plane.grid)
    assert decision.missing == tuple(sorted(failed))
    seen = np.zeros(plane.grid.shape, dtype=bool)
    for tile in there:
        seen[tile.seen.slices] = True
    if not there:
        assert len(decision) == 0
        return
    final, truth = _whole(plane, decision, plane.exact), plane.expected()
    assert ((final > 0) == (truth > 0) & seen).all()
    incomplete = set()
    for structure in range(decision.structures):
        pairs = overlaps(truth[structure], final[structure])
        assert np.unique(pairs.second).size == pairs.second.size  # none holds pixels of two objects
        group = 0 if decision.paired else structure
        incomplete |= {(group, int(one)) for one in pairs.second_ids[pairs.second[pairs.iou < 1]]}
    assert decision.counts.missing >= len(incomplete)


def _bars(widths: list[int], halo: int) -> tuple[Grid, Labels]:
    """Bars that each begin 25 pixels before a seam of tiles whose cores have 100 pixels."""
    tiles = of_cores((len(widths) * 10, 400), 100, halo)
    labels = np.zeros(tiles.shape, dtype=np.int32)
    for row, width in enumerate(widths):
        start = tiles[0].core.high[1] - 25
        labels[row * 10 + 3 : row * 10 + 7, start : start + width] = row + 1
    return tiles, labels


def _decide_map(tiles: Grid, labels: Labels, failed: tuple[int, ...] = ()) -> tuple[Decision, npt.NDArray[np.uint32]]:
    def exact(tile: Tile) -> Labels:
        return labels[None][(slice(None), *tile.seen.slices)]

    found = (
        find_candidates(tile, exact(tile), plane=tiles.shape, halo=tiles.halo)
        for tile in tiles
        if tile.index not in failed
    )
    decision = decide(found, tiles)
    return decision, paint(Box.of(tiles.shape), decision, tiles, exact)[0]


def test_wide_objects_are_counted_and_the_notes_say_which_halo_is_enough() -> None:
    tiles, labels = _bars([20, 40, 45, 90, 230], halo=30)
    decision, final = _decide_map(tiles, labels)
    assert (final == labels).all()
    counts = decision.counts
    assert (counts.objects, counts.wide, counts.cut, counts.stitched, counts.widest) == (5, 4, 1, 1, 230)
    (note,) = seam_notes(decision, tiles.halo)
    assert "1 object was seen whole by no tile" in note
    assert "--halo 240" in note
    enough, whole = _decide_map(of_cores(tiles.shape, 100, 240), labels)
    assert (whole == labels).all()
    assert seam_notes(enough, 240) == []


def test_objects_that_are_seen_whole_with_little_around_are_noted() -> None:
    tiles, labels = _bars([20, 40, 45], halo=30)
    decision, _ = _decide_map(tiles, labels)
    assert (decision.counts.wide, decision.counts.cut) == (2, 0)
    (note,) = seam_notes(decision, tiles.halo)
    assert "2 objects near seams are wider than the halo of 30 pixels (up to 45)" in note
    assert "--halo 48" in note


def test_a_failed_tile_is_told_with_the_objects_it_cuts() -> None:
    tiles, labels = _bars([20, 28, 90], halo=30)
    decision, final = _decide_map(tiles, labels, failed=(1,))
    assert decision.missing == (1,)
    assert decision.counts.missing == 1  # the first two lie within the halo of the first tile
    assert (final == np.where(np.arange(400) < tiles[0].seen.high[1], labels, 0)).all()
    (note,) = seam_notes(decision, tiles.halo)
    assert "1 tile failed" in note
    assert "1 object is cut there" in note


def test_a_tile_that_is_skipped_is_no_failure() -> None:
    tiles, labels = _bars([20, 28], halo=30)
    labels[:, 130:] = 0
    skipped = {3}
    found = [
        find_candidates(tile, labels[None][(slice(None), *tile.seen.slices)], plane=tiles.shape, halo=tiles.halo)
        for tile in tiles
        if tile.index not in skipped
    ]
    decision = decide(found, tiles, skipped=skipped)
    assert decision.missing == ()
    assert decision.counts.missing == 0
    assert seam_notes(decision, tiles.halo) == []
    assert decide(found, tiles).missing == (3,)


def test_no_objects_and_no_tiles() -> None:
    tiles = of_cores((50, 70), 20, 5)
    for decision, final in (
        _decide_map(tiles, np.zeros(tiles.shape, dtype=np.int32)),
        _decide_map(tiles, np.zeros(tiles.shape, dtype=np.int32), failed=tuple(range(len(tiles)))),
    ):
        assert len(decision) == decision.count() == 0
        assert final.shape == (50, 70)
        assert not final.any()


@pytest.mark.parametrize("tile", [256, 300])
def test_a_plane_of_ellipses_is_that_of_the_untiled_run(tile: int) -> None:
    planted = plant((900, 900), 34.0, 5)
    tiles = of_cores(planted.shape, tile, 80)
    truth = planted.labels(Box.of(planted.shape))
    found = {one.index: planted.seen(one.seen)[None] for one in tiles}
    decision = decide((find_candidates(one, found[one.index], plane=tiles.shape, halo=80) for one in tiles), tiles)
    final = paint(Box.of(tiles.shape), decision, tiles, lambda one: found[one.index])[0]
    pairs = overlaps(truth, final)
    assert pairs.first_ids.size == pairs.second_ids.size == (pairs.iou == 1).sum() > 600
    assert decision.counts.duplicates + decision.counts.outside > 400


def test_a_network_that_is_worse_at_edges_loses_next_to_nothing() -> None:
    """It errs on its own in each tile, so that no two tiles see quite the same."""
    planted = plant((900, 900), 34.0, 6)
    tiles = of_cores(planted.shape, 256, 80)
    noise = Noise(missed=0.0, split=0.0, joined=0.0, worse=5.0, edge=30.0)
    found = {one.index: planted.seen(one.seen, noise)[None] for one in tiles}
    decision = decide((find_candidates(one, found[one.index], plane=tiles.shape, halo=80) for one in tiles), tiles)
    final = paint(Box.of(tiles.shape), decision, tiles, lambda one: found[one.index])[0]
    pairs = overlaps(planted.labels(Box.of(planted.shape)), final)
    assert (pairs.iou > 0.5).sum() == pairs.first_ids.size
    assert pairs.second_ids.size == pairs.first_ids.size


def _found(plane: Planted, index: int) -> TileObjects:
    tile = plane.grid.tiles[index]
    return plane.found(tile, plane.exact(tile))


def test_tiles_of_other_runs_are_refused() -> None:
    labels = np.zeros((1, 30, 30), dtype=np.int32)
    labels[0, 3:6, 3:6] = 1
    plane = Planted(of_cores((30, 30), 10, 3), labels, False, 0)
    good = _found(plane, 0)
    for wrong, words in (
        ([good, good], "two results of tile 0"),
        ([replace(good, halo=4)], "another division"),
        ([replace(good, plane=(30, 31))], "another division"),
        ([replace(good, tile=replace(good.tile, index=99))], "another division"),
        ([good, replace(_found(plane, 1), structures=2)], "other structures"),
    ):
        with pytest.raises(OutputError, match=words) as caught:
            decide(wrong, plane.grid)
        assert caught.value.hint
