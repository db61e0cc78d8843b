"""Merging of overlapping masks against dense arrays: one row per seed, one column per pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.scenes import Scene, boxes, check, labels_of, random_scene


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 99_999),
    planes=st.integers(1, 3),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    half=st.integers(1, 9),
    distance=st.integers(1, 7),
    overlap_threshold=st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0]),
    min_size=st.sampled_from([0, 1, 7, 30]),
    connected=st.booleans(),
)
def test_equals_dense_arrays(
    seed: int,
    planes: int,
    height: int,
    width: int,
    half: int,
    distance: int,
    overlap_threshold: float,
    min_size: int,
    connected: bool,
) -> None:
    scene = random_scene(np.random.default_rng(seed), planes, height, width, half, distance)
    check(scene, overlap_threshold, min_size, connected)


@pytest.mark.parametrize(("threshold", "instances"), [(0.49, 1), (0.5, 2), (0.51, 2)])
def test_iou_must_exceed_the_threshold(threshold: float, instances: int) -> None:
    # 4 pixels are shared, 8 are in the union.
    assert check(boxes(12, 6, [(2, 0, 6), (5, 2, 8)]), threshold).max() == instances


def test_chain_of_a_hundred_merges_into_one() -> None:
    spans = [(4 * k + 3, 4 * k, 4 * k + 7) for k in range(100)]
    labels = check(boxes(403, 8, spans), overlap_threshold=0.2)
    assert labels.max() == 1
    assert check(boxes(403, 8, spans), overlap_threshold=0.4).max() == 100


def test_chain_that_the_last_seed_closes_keeps_the_number_of_the_first() -> None:
    # The first and the second lie apart; the third joins them.
    labels = check(boxes(30, 15, [(2, 0, 10), (14, 10, 20), (22, 5, 16)]), overlap_threshold=0.3)
    assert labels.max() == 1


def test_windows_moved_in_from_opposite_borders_share_their_middle() -> None:
    half = 6
    width = 4 * half - 1
    whole = [(0, 0, 2 * half), (width - 1, width - 2 * half, width)]
    assert check(boxes(width, half, whole), overlap_threshold=0.04).max() == 1
    assert check(boxes(width, half, whole), overlap_threshold=0.05).max() == 2


def test_no_seeds() -> None:
    scene = Scene(2, 8, 9, 4, 5, [], np.empty((0, 8, 8), dtype=np.float32))
    assert not labels_of(scene, 0.3, 10).any()
