"""The figures of an evaluation: each is a ratio of sums over images, or the mean of such ratios over IoU thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .metrics import DSB_THRESHOLDS, F1_MU_THRESHOLDS, Counts, Overlaps, count_pairs

__all__ = ["METRICS", "THRESHOLDS", "Metric", "count_all", "image_value", "terms"]

Values = npt.NDArray[np.float64]
CountsAt = Mapping[float, Counts]

THRESHOLDS = DSB_THRESHOLDS
"""At which matches are counted, besides the one that is chosen; those of F1µ are among them."""


@dataclass(frozen=True)
class Metric:
    """A figure.

    Attributes:
        key: in files.
        title: in tables.
        meaning: in one sentence.
        ratio: numerator and denominator, from the counts at one threshold; both may be summed over images.
        thresholds: over which the ratio is averaged; none for the chosen one alone.
    """

    key: str
    title: str
    meaning: str
    ratio: Callable[[Counts], tuple[float, float]]
    thresholds: tuple[float, ...] = ()


def _f1(counts: Counts) -> tuple[float, float]:
    wrong = counts.false_positives + counts.false_negatives
    return 2 * counts.true_positives, 2 * counts.true_positives + wrong


def _ap(counts: Counts) -> tuple[float, float]:
    return counts.true_positives, counts.true_positives + counts.false_positives + counts.false_negatives


METRICS = (
    Metric(
        "precision",
        "Precision",
        "Share of the instances found that match a true one.",
        lambda one: (one.true_positives, one.true_positives + one.false_positives),
    ),
    Metric(
        "recall",
        "Recall",
        "Share of the true instances that match one that was found.",
        lambda one: (one.true_positives, one.true_positives + one.false_negatives),
    ),
    Metric("f1", "F1", "2 TP / (2 TP + FP + FN).", _f1),
    Metric(
        "f1_mu",
        "F1µ",
        "Mean of F1 over IoU thresholds from 0.5 to 0.9 in steps of 0.1 (Goldsborough et al. 2024, section 3.2).",
        _f1,
        F1_MU_THRESHOLDS,
    ),
    Metric("sq", "SQ", "Mean IoU of the matches.", lambda one: (one.iou, one.true_positives)),
    Metric(
        "pq",
        "PQ",
        "SQ times F1 (Kirillov et al. 2019).",
        lambda one: (one.iou, one.true_positives + (one.false_positives + one.false_negatives) / 2),
    ),
    Metric(
        "ap_dsb",
        "AP",
        "Mean of TP / (TP + FP + FN) over IoU thresholds from 0.5 to 0.95 in steps of 0.05 (Data Science Bowl 2018).",
        _ap,
        DSB_THRESHOLDS,
    ),
)
"""In the order of tables. An instance found and a true one match when their IoU is at least the threshold, one to one,
in as many pairs as possible, and among those with the largest sum of IoU."""


def count_all(pairs: Overlaps, chosen: float) -> dict[float, Counts]:
    """Count matches at all thresholds.

    Args:
        pairs: the prediction first.
        chosen: a further threshold, in (0, 1].
    """
    return {threshold: count_pairs(pairs, threshold) for threshold in sorted({*THRESHOLDS, chosen})}


def terms(metric: Metric, images: Sequence[CountsAt], chosen: float) -> tuple[Values, Values]:
    """Return numerators and denominators (images, K), for K thresholds.

    Args:
        metric: which figure.
        images: counts by threshold of each.
        chosen: the threshold of figures that have none of their own.
    """
    at = metric.thresholds or (chosen,)
    pairs = np.array([[metric.ratio(counts[threshold]) for threshold in at] for counts in images], dtype=np.float64)
    pairs = pairs.reshape(len(images), len(at), 2)
    return pairs[..., 0], pairs[..., 1]


def image_value(metric: Metric, counts: CountsAt, chosen: float) -> float | None:
    """Return a figure of one image; None where it has none, as where there is nothing to find and nothing was found."""
    above, below = terms(metric, [counts], chosen)
    return None if (below == 0).any() else float((above / below).mean())
