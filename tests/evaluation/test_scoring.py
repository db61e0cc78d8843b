"""Figures of several images: pooled, as means, per group, with intervals, and compared between files."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from instanseg_export.evaluation.intervals import LEVEL, Resampling
from instanseg_export.evaluation.metrics import DSB_THRESHOLDS, ap_dsb, count_matches, f1, f1_mu, overlaps
from instanseg_export.evaluation.records import ALL
from instanseg_export.evaluation.scoring import METRICS, count_all, image_value, terms
from instanseg_export.evaluation.summing import Summing
from support.planted_shapes import shapes

Labels = NDArray[np.int32]


def pair(seed: int) -> tuple[Labels, Labels]:
    """What was found, and the truth: some objects gone, some eaten at, some of another image."""
    random = np.random.default_rng(seed)
    truth = shapes((60, 70), seed, 0.5, 2.0, 25)
    found = np.where(random.random(truth.shape) < 0.9, truth, 0)
    found[np.isin(truth, random.choice(np.unique(truth), 5))] = 0
    other = shapes((60, 70), seed + 1000, 0.1, 1.0, 30)
    return np.where((found == 0) & (other > 0), other + 10_000, found), truth


PAIRS = [pair(seed) for seed in range(12)]
COUNTS = [count_all(overlaps(found, truth), 0.7) for found, truth in PAIRS]
NAMES = [f"image {place}" for place in range(len(PAIRS))]
GROUPS = ["a" if place % 3 else "b" for place in range(len(PAIRS))]


def test_figures_of_an_image_are_those_of_its_metrics() -> None:
    for (found, truth), counts in zip(PAIRS, COUNTS, strict=True):
        at = count_matches(found, truth, 0.7)
        expected = {
            "precision": at.precision,
            "recall": at.recall,
            "f1": f1(found, truth, 0.7),
            "f1_mu": f1_mu(found, truth),
            "sq": at.segmentation_quality,
            "pq": at.panoptic_quality,
            "ap_dsb": float(np.mean([ap_dsb(found, truth, threshold) for threshold in DSB_THRESHOLDS])),
        }
        assert {metric.key: image_value(metric, counts, 0.7) for metric in METRICS} == pytest.approx(expected)
        assert at.panoptic_quality == pytest.approx(at.segmentation_quality * at.f1)


def test_pooled_figures_are_those_of_all_images_side_by_side() -> None:
    """Ids of different images are apart."""
    wide = [np.concatenate([np.where(one[side] > 0, one[side] + 100_000 * place, 0) for place, one in enumerate(PAIRS)])
            for side in (0, 1)]  # fmt: skip
    whole = count_all(overlaps(*wide), 0.7)
    summing = Summing("nuclei", GROUPS, NAMES, {"one": COUNTS}, 0.7)
    rows = {(row.group, row.how): row for row in summing.scores()}
    assert set(rows) == {(group, how) for group in (ALL, "a", "b") for how in ("pooled", "mean")}
    for metric in METRICS:
        assert rows[ALL, "pooled"].scores[metric.key].value == pytest.approx(image_value(metric, whole, 0.7))
        values = [image_value(metric, counts, 0.7) for counts in COUNTS]
        assert rows[ALL, "mean"].scores[metric.key].value == pytest.approx(
            np.mean([v for v in values if v is not None])
        )
        of_a = [value for value, group in zip(values, GROUPS, strict=True) if group == "a" and value is not None]
        assert rows["a", "mean"].scores[metric.key].value == pytest.approx(np.mean(of_a))
    row = rows[ALL, "pooled"]
    at = whole[0.7]
    assert (row.matched, row.found - row.matched, row.true - row.matched) == (
        at.true_positives,
        at.false_positives,
        at.false_negatives,
    )


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.key)
def test_intervals_are_those_of_scipy(metric: object) -> None:
    from scipy.stats import bootstrap

    (chosen,) = [one for one in METRICS if one is metric]
    above, below = terms(chosen, COUNTS, 0.7)
    drawn = Resampling(NAMES)
    interval = drawn.interval(drawn.draws(above, below))
    assert interval is not None
    places = np.arange(len(COUNTS))

    def figure(which: NDArray[np.int64]) -> float:
        return float((above[which].sum(axis=0) / below[which].sum(axis=0)).mean())

    expected = bootstrap(
        (places,), figure, vectorized=False, method="percentile", confidence_level=LEVEL, n_resamples=4000, rng=1
    ).confidence_interval
    width = expected.high - expected.low
    assert interval == pytest.approx((expected.low, expected.high), abs=0.08 * width)


def test_images_of_one_unit_are_drawn_together() -> None:
    """Twelve images that are four times the same three say no more than these three."""
    three = COUNTS[:3]
    f1_metric = next(metric for metric in METRICS if metric.key == "f1")
    copies = [NAMES[place % 3] for place in range(12)]
    together = Resampling(copies)
    alone = Resampling(NAMES[:3])
    many = together.draws(*terms(f1_metric, three * 4, 0.7))
    few = alone.draws(*terms(f1_metric, three, 0.7))
    assert together.interval(many) == alone.interval(few)
    apart = Resampling(NAMES)
    narrow = apart.interval(apart.draws(*terms(f1_metric, three * 4, 0.7)))
    wide = alone.interval(few)
    assert narrow is not None
    assert wide is not None
    assert narrow[1] - narrow[0] < wide[1] - wide[0]
    assert Resampling(["one"] * 12).interval(many) is None


def test_files_are_compared_draw_by_draw() -> None:
    """A file that loses one instance of each image is worse for sure, though the two intervals overlap."""
    worse = [count_all(overlaps(np.where(found == found.max(), 0, found), truth), 0.7) for found, truth in PAIRS]
    missing = [*worse[:-1], None]
    summing = Summing("nuclei", [""] * 12, NAMES, {"one": COUNTS, "two": worse, "three": missing}, 0.7)
    rows = {(row.file, row.how): row for row in summing.scores()}
    differences = {(row.file, row.how): row for row in summing.differences()}
    difference = differences["two", "pooled"].scores["recall"]
    assert difference.value is not None
    first, second = (rows[file, "pooled"].scores["recall"].value for file in ("one", "two"))
    assert first is not None
    assert second is not None
    assert difference.value == pytest.approx(second - first)
    assert differences["three", "mean"].images == 11
    assert rows["three", "mean"].images == 11


def test_where_there_is_nothing_there_is_no_figure() -> None:
    empty = np.zeros((5, 5), dtype=np.int32)
    counts = count_all(overlaps(empty, empty), 0.5)
    assert all(image_value(metric, counts, 0.5) is None for metric in METRICS)
    one = count_all(overlaps(np.eye(5, dtype=np.int32), np.eye(5, dtype=np.int32)), 0.5)
    rows = list(Summing("nuclei", ["", ""], ["a", "b"], {"one": [counts, one]}, 0.5).scores())
    assert [row.scores["f1"].value for row in rows] == [1.0, 1.0]  # the empty image does not count in the mean
    nothing = list(Summing("nuclei", [""], ["a"], {"one": [counts]}, 0.5).scores())
    assert all(row.scores[metric.key].value is None for row in nothing for metric in METRICS)
