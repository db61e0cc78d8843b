"""Semantic masks are told from instance labels, whatever their numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from instanseg_export.errors import ImageError
from instanseg_export.evaluation.semantic import check_instances, count_pieces
from support.planted_shapes import shapes

Labels = NDArray[np.int64]


def checked(maps: list[Labels]) -> list[str]:
    return check_instances([(f"image{place}", count_pieces(one[None])) for place, one in enumerate(maps)])


def discs(seed: int, count: int = 6) -> Labels:
    """Discs that do not touch, numbered."""
    random = np.random.default_rng(seed)
    labels = np.zeros((80, 80), dtype=np.int64)
    cells = random.choice(16, count, replace=False)
    rows, columns = np.indices(labels.shape)
    for number, cell in enumerate(cells, start=1):
        y, x = 10 + 20 * (cell // 4), 10 + 20 * (cell % 4)
        labels[(rows - y) ** 2 + (columns - x) ** 2 < 49] = number
    return labels


def binary(labels: Labels, value: int) -> Labels:
    return np.where(labels > 0, value, 0)


def classes(labels: Labels, value: int) -> Labels:
    """Nuclei, and their borders as a class of their own."""
    inside = ndimage.binary_erosion(labels > 0, iterations=2)
    return np.where(inside, value, np.where(labels > 0, value + 1, 0))


@given(st.sampled_from([binary, classes]), st.integers(1, 60_000), st.integers(2, 9), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_masks_are_refused(make: object, value: int, objects: int, count: int) -> None:
    assert callable(make)
    with pytest.raises(ImageError, match="semantic masks") as caught:
        checked([make(discs(seed, objects), value) for seed in range(count)])
    assert "number of its own" in caught.value.hint


def test_one_mask_of_many_objects_is_refused() -> None:
    with pytest.raises(ImageError, match="1 number"):
        checked([binary(discs(0), 255)])


@given(st.integers(0, 1000), st.integers(1, 4), st.floats(0.1, 0.8))
@settings(max_examples=30, deadline=None)
def test_instances_are_not(seed: int, count: int, fill: float) -> None:
    """Touching ones, single ones, and some that something else cuts in two."""
    assert checked([shapes((64, 64), seed + place, fill, 2.0, 20).astype(np.int64) for place in range(count)]) == []
    cut = discs(seed)
    cut[:, 38:42] = 0
    cut[9:11] = 0
    checked([cut])
    assert checked([discs(seed, 1)]) == []
    assert checked([discs(seed + place, 1) for place in range(count)]) == []


def test_one_mask_among_label_maps_is_named() -> None:
    (sentence,) = checked([discs(0), discs(1), binary(discs(2), 1), discs(3)])
    assert "label map of image2, objects that lie apart share a number" in sentence


def test_more_objects_than_eight_bits_have_numbers_for() -> None:
    """As when 400 objects are saved as uint8: numbers start again."""
    many = np.zeros((160, 160), dtype=np.int64)
    for number in range(400):
        y, x = 8 * (number // 20), 8 * (number % 20)
        many[y : y + 5, x : x + 5] = number + 1
    assert checked([many]) == []
    (sentence,) = checked([many.astype(np.uint8).astype(np.int64)])
    assert "8 bits" in sentence
