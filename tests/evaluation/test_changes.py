"""Stability: a method that sees each object by itself keeps them all; one that does not loses as many as it should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.measure import label

from instanseg_export.evaluation.changes import CHANGES, changes_of, count_kept, stability_of
from support.planted_shapes import shapes

Pixels = NDArray[np.generic]


def image(seed: int, dtype: str, shape: tuple[int, int] = (70, 80)) -> NDArray[np.generic]:
    """Objects of winding shapes on dark ground, in two channels."""
    labels = shapes(shape, seed, 0.3, 2.0, 15)
    values = np.where(labels > 0, 100 + labels % 20, 10)
    return np.stack([values, values]).astype(dtype)


def segment(planes: NDArray[np.generic]) -> NDArray[np.int64]:
    """Everything bright, object by object: that depends on nothing else in the image."""
    found: NDArray[np.int64] = label(planes[0].astype(float) > 50, connectivity=1).astype(np.int64)
    return found[None]


@given(st.integers(0, 200), st.sampled_from(["uint8", "uint16", "int16", "float32", "float64"]))
@settings(max_examples=25, deadline=None)
def test_a_perfect_method_keeps_everything(seed: int, dtype: str) -> None:
    planes = image(seed, dtype)
    before = segment(planes)
    kinds = set()
    for change in changes_of(seed):
        changed = change.apply(planes.copy())
        assert changed.dtype == planes.dtype
        kept = count_kept(before, change.back(segment(changed)), change.cut)
        assert kept.at_50 == kept.at_90 == kept.objects
        assert change.kind != "shift" or all(1 <= cut <= 15 for cut in change.cut)
        kinds.add(change.kind)
    assert kinds | {"tiles"} == set(CHANGES)


@given(st.integers(0, 200), st.sampled_from(["uint8", "float32"]))
@settings(max_examples=10, deadline=None)
def test_a_perfect_method_keeps_everything_in_volumes(seed: int, dtype: str) -> None:
    flat = image(seed, dtype, (40, 44))
    dark = np.full_like(flat, 10)
    planes = np.stack([dark, flat, flat, dark, image(seed + 1, dtype, (40, 44))], axis=1)
    before = segment(planes)
    changes = changes_of(seed, 3)
    for change in changes:
        kept = count_kept(before, change.back(segment(change.apply(planes.copy()))), change.cut)
        assert kept.at_50 == kept.at_90 == kept.objects
    mirrored = [change.apply(planes) for change in changes if change.kind == "mirror"]
    assert [planes.shape] * 3 == [one.shape for one in mirrored]
    assert any(np.array_equal(one, planes[:, ::-1]) for one in mirrored)


def test_objects_at_a_cut_of_a_volume_do_not_count() -> None:
    before = np.zeros((1, 6, 30, 30), dtype=np.int64)
    before[0, 0:4, 2:6, 2:6], before[0, 1:3, 12:20, 12:20], before[0, :, 5:9, 22:28] = 1, 2, 3
    kept = count_kept(before, before[..., 5:, 7:], (5, 7))  # cuts through 1, and along 3
    assert (kept.objects, kept.at_90) == (1, 1)


def test_brightness_stays_in_the_range_of_the_type() -> None:
    planes = np.array([[[0, 100, 250, 255]]], dtype=np.uint8)
    brighter, darker = (one.apply(planes).ravel().tolist() for one in changes_of(0) if one.kind == "brightness")
    assert brighter == [0, 105, 255, 255]
    assert darker == [0, 95, 238, 242]


def test_lost_and_eaten_objects_are_counted() -> None:
    before = np.zeros((1, 20, 60), dtype=np.int64)
    for number in range(5):
        before[0, 5:15, 10 * number + 2 : 10 * number + 10] = number + 1
    after = before.copy()
    after[before == 1] = 0  # gone
    after[0, 5:8, 12:20] = 0  # the second keeps 7 of 10 rows
    kept = count_kept(before, after)
    assert (kept.objects, kept.at_50, kept.at_90) == (5, 4, 3)
    found = stability_of("mirror", [("a", kept), ("b", kept)])
    assert (found.images, found.objects, found.kept_50.value, found.kept_90.value) == (2, 10, 0.8, 0.6)
    assert found.kept_50.low == pytest.approx(0.8)


def test_objects_at_a_cut_do_not_count() -> None:
    before = np.zeros((1, 30, 30), dtype=np.int64)
    before[0, 2:6, 2:6], before[0, 4:9, 12:20], before[0, 5:9, 22:28], before[0, 15:20, 15:20] = 1, 2, 3, 4
    kept = count_kept(before, before[:, 5:, 7:], (5, 7))  # cuts through 1 and 2, and along 3
    assert (kept.objects, kept.at_90) == (1, 1)
