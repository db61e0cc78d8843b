"""Tiles are joined, and outlines drawn, as Python does it: on label maps drawn at random, without a model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import shape

from instanseg_export.images.objects import pieces
from instanseg_export.images.writers.outlines import outlines
from instanseg_export.slides.box import Box
from instanseg_export.slides.grid import make_grid
from instanseg_export.slides.seams.candidates import find_candidates
from instanseg_export.slides.seams.decide import decide
from instanseg_export.slides.seams.paint import paint
from support.web_page import Opened
from support.web_worker import PageWorker

TILE, HALO = 64, 12
FACTS = {"structures": ["nuclei"], "paired": False, "pixelSize": None, "outputs": []}


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of 100 x 131 pixels, of which only the size matters."""
    path = tmp_path_factory.mktemp("blank") / "blank.tif"
    tifffile.imwrite(path, np.zeros((100, 131), np.uint8))
    return path


@pytest.fixture
def worker(demo_package: Path, page_of: Opened, blank: Path) -> Iterator[PageWorker]:
    with page_of(demo_package) as page:
        page.ready()
        worker = PageWorker(page.page)
        assert "value" in worker.open(blank)
        yield worker


def ellipses(random: np.random.Generator, shape_: tuple[int, int], count: int, largest: float) -> np.ndarray:
    """A label map of ellipses, later ones over earlier ones; ids without gaps are not asked for."""
    labels = np.zeros(shape_, np.int32)
    y, x = np.indices(shape_)
    for label in range(1, count + 1):
        cy, cx = random.uniform(0, shape_[0]), random.uniform(0, shape_[1])
        ry, rx = random.uniform(1, largest, 2)
        labels[((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1] = label
    return labels


def seen_by_tiles(random: np.random.Generator, truth: np.ndarray) -> list[np.ndarray]:
    """What a model that errs gives for each tile: objects are shifted, lost, merged and cut, under ids of their own."""
    tiles = []
    for tile in make_grid(truth.shape[1:], TILE, HALO):
        window = truth[(slice(None), *tile.seen.slices)]
        shifted = np.roll(window, tuple(random.integers(-1, 2, 2)), (1, 2))
        ids = np.arange(truth.max() + 1)
        ids[random.random(ids.size) < 0.1] = 0
        merged = random.random(ids.size) < 0.1
        ids[merged] = np.roll(ids, 1)[merged]
        order = random.permutation(ids.size - 1) + 1
        ids = np.where(ids > 0, np.concatenate([[0], order])[ids], 0)
        tiles.append(ids[shifted].astype(np.int32))
    return tiles


def by_python(tiles: list[np.ndarray], plane: tuple[int, int], paired: bool) -> np.ndarray:
    grid = make_grid(plane, TILE, HALO)
    found = [
        find_candidates(tile, labels, plane=plane, halo=HALO, paired=paired)
        for tile, labels in zip(grid, tiles, strict=True)
    ]
    decision = decide(found, grid)
    return paint(Box.of(plane), decision, grid, lambda tile: tiles[tile.index])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 60),
    largest=st.sampled_from([6.0, 14.0, 40.0]),
    kind=st.integers(0, 2),
)
def test_tiles_are_joined_by_the_rule_of_slides(
    worker: PageWorker, seed: int, count: int, largest: float, kind: int
) -> None:
    random = np.random.default_rng(seed)
    plane = (100, 131)
    cells = ellipses(random, plane, count, largest)
    truth = cells[None]
    if kind:  # nuclei inside of their cells, or two structures that know nothing of each other
        nuclei = cells * (ellipses(random, plane, count, largest) > 0)
        truth = np.stack([nuclei, cells])
    tiles = seen_by_tiles(random, truth)
    facts = {**FACTS, "paired": kind == 1, "structures": ["nuclei", "cells"][: len(truth)]}
    found, _ = worker.join(tiles, facts, tile=TILE, halo=HALO)
    np.testing.assert_array_equal(found, by_python(tiles, plane, kind == 1))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.02, 0.98), grain=st.sampled_from([1, 1, 2, 7]))
def test_outlines_are_those_of_python(worker: PageWorker, seed: int, share: float, grain: int) -> None:
    """Objects of scattered pixels meet at corners, have holes in holes, and lie in pieces."""
    random = np.random.default_rng(seed)
    coarse = random.random((100, 131)) < share
    labels = np.where(coarse, random.integers(1, 4, (100, 131)), 0)
    labels = labels[: 100 // grain + 1, : 131 // grain + 1].repeat(grain, 0).repeat(grain, 1)[:100, :131]
    expected = list(outlines(pieces(labels)))
    tile = np.asarray(labels, np.int32)[None]
    _, geojson = worker.join([tile], FACTS, tile=1000, halo=0)
    found = [shape(feature["geometry"]) for feature in json.loads(geojson)["features"]]
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert shapely.is_valid(ours)
        assert ours.area == theirs.area
        assert shapely.equals(ours, theirs)
