"""F1, F1µ, SQ and AP_dsb against cases worked out by hand and against a brute force that tries every pairing."""

from __future__ import annotations

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from instanseg_export.evaluation.metrics import (
    Counts,
    ap_dsb,
    count_matches,
    f1,
    f1_mu,
    match,
    overlaps,
    segmentation_quality,
)

Labels = NDArray[np.int64]


def row(*runs: tuple[int, int]) -> Labels:
    """A label map of one row from (id, length) runs."""
    return np.concatenate([np.full(length, label) for label, length in runs])[None]


# Truth: three objects of 10 pixels. Predicted: the first exactly, the second with 8 of its pixels, the third as two
# halves of 4 and 6 pixels, and one object in the background.
TRUTH = row((1, 10), (0, 2), (2, 10), (0, 2), (3, 10), (0, 6))
PREDICTED = row((7, 10), (0, 2), (5, 8), (0, 4), (4, 4), (9, 6), (0, 2), (6, 4))


def assert_counts(found: Counts, true_positives: int, false_positives: int, false_negatives: int, iou: float) -> None:
    assert (found.true_positives, found.false_positives, found.false_negatives) == (
        true_positives,
        false_positives,
        false_negatives,
    )
    assert found.iou == pytest.approx(iou)


def test_scores_worked_out_by_hand() -> None:
    # At 0.5: IoU 1, 0.8 and 0.6 match. 3 TP; 2 FP (the half of 4 pixels, the one in the background); 0 FN.
    assert_counts(count_matches(PREDICTED, TRUTH), 3, 2, 0, 1 + 0.8 + 0.6)
    assert f1(PREDICTED, TRUTH) == pytest.approx(6 / 8)
    assert ap_dsb(PREDICTED, TRUTH) == pytest.approx(3 / 5)
    assert segmentation_quality(PREDICTED, TRUTH) == pytest.approx(2.4 / 3)
    # 3 matches at 0.5 and 0.6, 2 at 0.7 and 0.8 (a threshold that is met counts), 1 at 0.9; always 5 predicted, 3 true.
    assert f1_mu(PREDICTED, TRUTH) == pytest.approx((6 / 8 + 6 / 8 + 4 / 8 + 4 / 8 + 2 / 8) / 5)


def test_an_instance_is_matched_once_only() -> None:
    truth, halves = row((1, 10)), row((1, 5), (2, 5))
    assert_counts(count_matches(halves, truth), 1, 1, 0, 0.5)
    assert_counts(count_matches(truth, halves), 1, 0, 1, 0.5)


def test_below_one_half_more_matches_win_over_better_ones() -> None:
    # IoU of 1 with 1: 4/8, of 1 with 2: 2/6, of 2 with 1: 2/6. The best single pair would leave two instances alone.
    first = row((1, 4), (1, 2), (2, 2))
    second = row((2, 2), (1, 2), (1, 2), (1, 2))
    pairs = overlaps(first, second)
    chosen = match(pairs, 0.1)
    assert {(int(pairs.first_ids[pairs.first[k]]), int(pairs.second_ids[pairs.second[k]])) for k in chosen} == {
        (1, 2),
        (2, 1),
    }


def test_nothing_on_one_or_both_sides() -> None:
    empty = np.zeros((4, 4), dtype=np.int64)
    one = np.eye(4, dtype=np.int64)
    assert f1(one, empty) == f1(empty, one) == ap_dsb(one, empty) == f1_mu(one, empty) == 0.0
    assert math.isnan(segmentation_quality(one, empty))
    assert math.isnan(f1(empty, empty))
    assert math.isnan(f1_mu(empty, empty))


def test_counts_of_images_add_up() -> None:
    total = count_matches(PREDICTED, TRUTH) + count_matches(TRUTH, TRUTH)
    assert_counts(total, 6, 2, 0, 5.4)
    assert total.f1 == pytest.approx(12 / 14)


def test_maps_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match=r"different shapes, \(2, 2\) and \(2, 3\)"):
        f1(np.zeros((2, 2), dtype=int), np.zeros((2, 3), dtype=int))
    with pytest.raises(ValueError, match="goes down to -1"):
        f1(np.full((2, 2), -1), np.zeros((2, 2), dtype=int))


def brute_force(first: Labels, second: Labels, threshold: float) -> tuple[int, float]:
    """The most matches, and the largest sum of IoU with so many, over every possible pairing."""
    a, b = [label for label in np.unique(first) if label], [label for label in np.unique(second) if label]
    iou = [[((first == i) & (second == j)).sum() / ((first == i) | (second == j)).sum() for j in b] for i in a]
    best = (0, 0.0)
    for size in range(1, min(len(a), len(b)) + 1):
        for rows in itertools.combinations(range(len(a)), size):
            for columns in itertools.permutations(range(len(b)), size):
                values = [iou[i][j] for i, j in zip(rows, columns, strict=True)]
                if min(values) >= threshold:
                    best = max(best, (size, float(sum(values))))
    return best


maps = st.integers(0, 4).flatmap(
    lambda largest: st.lists(st.integers(0, largest), min_size=24, max_size=24).map(lambda v: np.array(v).reshape(4, 6))
)


@settings(max_examples=150, deadline=None)
@given(first=maps, second=maps, threshold=st.sampled_from([0.05, 0.1, 0.25, 0.4, 0.5, 0.7, 1.0]))
def test_matching_equals_brute_force(first: Labels, second: Labels, threshold: float) -> None:
    counts = count_matches(first, second, threshold)
    number, iou = brute_force(first, second, threshold)
    assert counts.true_positives == number
    assert counts.iou == pytest.approx(iou)
    assert counts.true_positives + counts.false_positives == len(np.unique(first[first > 0]))
    assert counts.true_positives + counts.false_negatives == len(np.unique(second[second > 0]))


def test_memory_does_not_grow_with_the_square_of_the_instances() -> None:
    # 40,000 instances: a matrix of all pairs would hold 1.6 thousand million numbers.
    ids = np.arange(1, 40_001).reshape(200, 200)
    labels = np.kron(ids, np.ones((3, 3), dtype=np.int64))
    shifted = np.roll(labels, 1, axis=1)
    tracemalloc.start()
    counts = count_matches(shifted, labels, 0.2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counts.true_positives > 39_000
    assert peak < 200e6
