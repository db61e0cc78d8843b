"""Percentiles that are counted block by block are those of the whole."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from instanseg_export.inference.normalisation import stretch
from instanseg_export.slides.box import Box
from instanseg_export.slides.plane import blocks, histogram
from instanseg_export.slides.plane.area import choose_area
from instanseg_export.slides.plane.histogram import Histogram, count_block, count_plane
from instanseg_export.slides.plane.intensities import Intensities, is_normalised
from instanseg_export.slides.plane.levels import lay_plane
from instanseg_export.slides.plane.pixels import Plane
from instanseg_export.slides.plane.tissue import Tissue
from instanseg_export.slides.sources import GivenArray, SlideAddress, SlideSource, open_slide
from instanseg_export.stages.normalize import rescale, standardize

RNG = np.random.default_rng(2)
PERCENTS = (0, 0.1, 1, 37.3, 50, 99.8, 99.9, 100)


def _open(array: Any) -> SlideSource:
    return open_slide(SlideAddress(GivenArray((array,), pixel_size=(0.5, 0.5)), array.ndim - 1))


def _counted(array: Any, **options: Any) -> Histogram:
    with _open(array) as source:
        return count_plane(source, lay_plane(source.info), range(len(array)), **options)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small images go through in many blocks too."""
    monkeypatch.setattr(blocks, "_SIDE", {2: 37, 3: 11})
    monkeypatch.setattr(histogram, "_AT_ONCE", 3)


@settings(deadline=None, max_examples=60)
@given(
    dtype=st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "i8", "?"]),
    shape=st.one_of(
        st.tuples(st.integers(1, 2), st.integers(1, 90), st.integers(1, 90)),
        st.tuples(st.just(1), st.integers(1, 20), st.integers(1, 25), st.integers(1, 25)),
    ),
    spread=st.integers(1, 120),
    seed=st.integers(0, 99),
)
def test_percentiles_of_whole_numbers_are_numpys(dtype: str, shape: tuple[int, ...], spread: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, spread / 3, shape)
    kind = np.dtype(dtype)
    if kind.kind == "b":
        array = values > 0
    else:
        low, high = (0, 120) if kind.kind == "u" else (-60, 60)
        array = np.clip(values, low, high).astype(kind)
    counted = _counted(array)
    assert all(counted.exact)
    assert counted.seen == array[0].size
    for channel, plane in enumerate(array.astype(np.int64)):
        for percent in PERCENTS:
            assert counted.percentile(channel, percent) == np.percentile(plane, percent)
        assert counted.smallest(channel) == plane.min()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("level", ["raw", "flat"])
def test_what_the_model_sees_is_what_the_file_makes_of_the_whole(dtype: Any, level: str) -> None:
    array = np.clip(RNG.gamma(2, 30, (3, 120, 130)), 0, 255).astype(dtype)
    if level == "flat":
        array[1] = 7
    with _open(array) as source:
        geometry = lay_plane(source.info)
        intensities = Intensities.by_percentiles(count_plane(source, geometry, range(3)))
        pixels = intensities.apply(Plane(source, geometry, range(3)).read(geometry.box))
    raw = array.astype(np.float32)
    expected = rescale(torch.from_numpy(raw)[None], torch.tensor(1))[0].numpy()
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, expected, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(pixels, stretch(raw), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("low", "high", "stage"), [(0.1, 99.9, (1, 1)), (1.0, 99.8, (10, 2))])
def test_other_percentiles(low: float, high: float, stage: tuple[int, int]) -> None:
    array = RNG.integers(0, 4000, (2, 90, 110), dtype=np.uint16)
    intensities = Intensities.by_percentiles(_counted(array), low, high)
    raw = array.astype(np.float32)
    expected = rescale(torch.from_numpy(raw)[None], torch.tensor(1), *stage)[0].numpy()
    np.testing.assert_allclose(intensities.apply(raw), expected, rtol=1e-5, atol=1e-6)
    assert f"{low:g} and {high:g} percentiles" in intensities.notes[0]
    assert "in every one of 9,900 pixels" in intensities.notes[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_mean_and_deviation_over_all_channels(dtype: Any) -> None:
    array = RNG.gamma(2, 30, (3, 90, 110)).clip(0, 255).astype(dtype)
    intensities = Intensities.standard(_counted(array))
    raw = array.astype(np.float32)
    expected = standardize(torch.from_numpy(raw)[None], torch.tensor(1))[0].numpy()
    np.testing.assert_allclose(intensities.apply(raw), expected, rtol=1e-4, atol=1e-5)


def test_a_sample_is_stated_and_does_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    array = RNG.gamma(2, 30, (2, 401, 403)).astype(np.float32)
    monkeypatch.setattr(histogram, "SAMPLE", 5000)
    found = []
    for side in (37, 64, 500):
        monkeypatch.setattr(blocks, "_SIDE", {2: side})
        found.append(_counted(array))
    assert not any(found[0].exact)
    assert found[0].step == 6
    for one in found:
        for percent in PERCENTS:
            expected = np.percentile(array[1, ::6, ::6].astype(np.float64), percent)
            assert one.percentile(1, percent) == pytest.approx(expected, rel=1e-12)
    note = Intensities.by_percentiles(found[0]).notes[0]
    assert "in every 6th pixel along each axis, of 161,603 pixels" in note


def test_too_many_whole_numbers_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    array = RNG.integers(0, 1 << 30, (1, 200, 210), dtype=np.uint32)
    monkeypatch.setattr(histogram, "SAMPLE", 5000)
    assert all(_counted(array).exact), "forty thousand values can be counted"
    monkeypatch.setattr(histogram, "_MOST_DISTINCT", 20000)
    counted = _counted(array)
    assert not any(counted.exact)
    assert counted.percentile(0, 50) == pytest.approx(np.percentile(array[0, ::3, ::3], 50))


def test_parts_from_workers_join_in_any_order() -> None:
    array = RNG.integers(0, 3000, (2, 120, 150), dtype=np.uint16)
    with _open(array) as source:
        geometry = lay_plane(source.info)
        parts = [
            pickle.loads(pickle.dumps(count_block(source, geometry, [1, 0], block)))
            for block in blocks.blocks_of(geometry.domain)
        ]
    assert len(parts) == 20
    for order in (parts, parts[::-1], parts[7:] + parts[:7]):
        joined = Histogram.joined(order)
        assert joined.percentile(0, 99.9) == np.percentile(array[1], 99.9)
        assert joined.seen == array[0].size


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.float32])
@pytest.mark.parametrize("volume", [False, True])
def test_only_what_is_segmented_counts(dtype: Any, volume: bool) -> None:
    shape = (2, 5, 100, 120) if volume else (2, 100, 120)
    array = RNG.integers(0, 200, shape).astype(dtype)
    mask = np.zeros((10, 12), bool)
    mask[2:5, 3:9] = mask[8, 11] = True
    with _open(array) as source:
        area = choose_area(source.info, tissue=Tissue(mask, 0.2, "Here."))
        geometry = lay_plane(source.info, area.box(source.info))
        counted = count_plane(source, geometry, [0, 1], area)
    chosen = array[..., np.kron(mask, np.ones((10, 10), bool))].reshape(2, -1)
    assert counted.seen == chosen.shape[1]
    for percent in PERCENTS:
        assert counted.percentile(1, percent) == pytest.approx(np.percentile(chosen[1].astype(float), percent))


def test_what_is_no_number_is_counted_and_left_out() -> None:
    array = RNG.random((2, 90, 100)).astype(np.float32)
    array[0, 3:7, 50:60] = np.nan
    array[1, 80, 80] = -np.inf
    counted = _counted(array)
    assert counted.holes == 41
    assert counted.smallest(1) == pytest.approx(float(array[1][np.isfinite(array[1])].min()))
    intensities = Intensities.by_percentiles(counted)
    assert intensities.notes[1] == "41 values that are no finite numbers were taken as background."
    assert intensities.background[1] == counted.smallest(1)
    empty = Intensities.by_percentiles(_counted(np.full((1, 9, 9), np.nan, np.float32)))
    assert np.isfinite(empty.apply(np.zeros((1, 9, 9), np.float32))).all()


def test_a_normalised_slide_is_recognised() -> None:
    array = RNG.random((2, 200, 200)).astype(np.float32)
    low, high = np.percentile(array, (0.1, 99.9), axis=(1, 2), keepdims=True)
    assert is_normalised(_counted((array - low) / (high - low)), "f")
    assert not is_normalised(_counted(array * 2), "f")
    assert not is_normalised(_counted(array > 0.5), "b")
    untouched = Intensities.untouched(_counted(array))
    assert np.array_equal(untouched.apply(array), array)


def test_pixels_of_the_level_that_is_read_are_counted() -> None:
    array = RNG.integers(0, 256, (1, 120, 140), dtype=np.uint8)
    small = RNG.integers(0, 256, (1, 60, 70), dtype=np.uint8)
    with open_slide(SlideAddress(GivenArray((array, small), pixel_size=(0.5, 0.5)))) as source:
        geometry = lay_plane(source.info, Box((20, 40), (100, 120)), model_pixel_size=1.0)
        assert count_plane(source, geometry, [0]).percentile(0, 99.9) == np.percentile(small[0, 10:50, 20:60], 99.9)
