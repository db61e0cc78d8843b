"""How well one label map agrees with another: F1, F1µ, SQ, PQ and AP_dsb, as the papers define them.

A label map is an array of whole numbers of any shape; 0 is background, every other number an instance. All functions
take time and memory in proportion to the pixels and to the overlapping pairs of instances: there is no matrix of pairs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..images.objects import compact

__all__ = [
    "AP_DSB_THRESHOLDS",
    "DSB_THRESHOLDS",
    "F1_MU_THRESHOLDS",
    "Counts",
    "Overlaps",
    "ap_dsb",
    "count_matches",
    "count_pairs",
    "f1",
    "f1_mu",
    "match",
    "overlaps",
    "segmentation_quality",
]

Labels = npt.NDArray[Any]
Indices = npt.NDArray[np.int64]

F1_MU_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""F1µ: "the mean F1 score over the interval [0.5, 0.9] with a step of 0.1" (Goldsborough et al. 2024, section 3.2)."""

AP_DSB_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
"""The thresholds of AP_dsb for 2D images (Lalit et al. 2022, table 1)."""


DSB_THRESHOLDS = (*AP_DSB_THRESHOLDS, 0.95)
"""Those over which the Data Science Bowl 2018 averages AP_dsb (Caicedo et al. 2019)."""


@dataclass(frozen=True)
class Overlaps:
    """The pairs of instances of two label maps that share a pixel.

    Attributes:
        first_ids, second_ids: ids of all instances of each map, ascending.
        first_areas, second_areas: their sizes in pixels.
        first, second: (P,) per overlapping pair, the places of its two instances in ``first_ids`` and ``second_ids``.
        shared: (P,) pixels that the pair shares.
        iou: (P,) shared pixels divided by those of the union, in (0, 1].
    """

    first_ids: Indices
    second_ids: Indices
    first_areas: Indices
    second_areas: Indices
    first: Indices
    second: Indices
    shared: Indices
    iou: npt.NDArray[np.float64]


def overlaps(first: Labels, second: Labels) -> Overlaps:
    """Find all pairs of instances that share a pixel.

    Args:
        first: a label map.
        second: another of the same shape.

    Raises:
        ValueError: the shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"label maps of different shapes, {first.shape} and {second.shape}, cannot be compared")
    first_ids, first_places = compact(_whole(first))
    second_ids, second_places = compact(_whole(second))
    stride = len(second_ids) + 1
    keys = first_places.reshape(-1) * np.int64(stride) + second_places.reshape(-1)
    # Pixels of one pair lie side by side: sorting stretches of them is several times faster than sorting pixels.
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, keys.size), dtype=bool), keys[1:] != keys[:-1]]))
    lengths = np.diff(starts, append=keys.size)
    pairs, which = np.unique(keys[starts], return_inverse=True)
    counts = np.bincount(which, weights=lengths, minlength=len(pairs)).astype(np.int64)
    rows, columns = np.divmod(pairs, stride)
    first_areas = np.bincount(rows, weights=counts, minlength=len(first_ids) + 1).astype(np.int64)
    second_areas = np.bincount(columns, weights=counts, minlength=stride).astype(np.int64)
    both = (rows > 0) & (columns > 0)
    rows, columns, shared = rows[both], columns[both], counts[both]
    union = first_areas[rows] + second_areas[columns] - shared
    return Overlaps(
        first_ids=first_ids,
        second_ids=second_ids,
        first_areas=first_areas[1:],
        second_areas=second_areas[1:],
        first=rows - 1,
        second=columns - 1,
        shared=shared,
        iou=shared / np.maximum(union, 1),
    )


def _whole(labels: Labels) -> Labels:
    if labels.min(initial=0) < 0:
        raise ValueError(f"a label map has no negative numbers, but this one goes down to {labels.min()}")
    return labels.astype(np.int64, copy=False)


def match(pairs: Overlaps, threshold: float) -> Indices:
    """Pair the instances one to one, as many as possible, with the largest sum of IoU among such pairings.

    That is the criterion of the StarDist code with which the papers computed their scores. Above an IoU of 0.5 no
    instance has a choice, below it this is an assignment problem, solved on the overlapping pairs alone.

    Args:
        pairs: of :func:`overlaps`.
        threshold: smallest IoU of a match, in (0, 1].

    Returns:
        Places in ``pairs.iou`` of the chosen pairs, ascending.
    """
    candidates = np.flatnonzero(pairs.iou >= threshold)
    first, second = pairs.first[candidates], pairs.second[candidates]
    if len(np.unique(first)) == len(first) and len(np.unique(second)) == len(second):
        return candidates
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    rows, row_of = np.unique(first, return_inverse=True)
    columns, column_of = np.unique(second, return_inverse=True)
    # Every row may also stay alone, with a column of its own at weight 1. A match weighs 2 and a part of its IoU so
    # small that all of them together stay below 1: so their number counts first.
    weights = np.concatenate([2 + pairs.iou[candidates] / (len(rows) + 1), np.ones(len(rows))])
    own = np.arange(len(rows))
    graph = coo_array(
        (weights, (np.concatenate([row_of, own]), np.concatenate([column_of, len(columns) + own]))),
        shape=(len(rows), len(columns) + len(rows)),
    )
    chosen_rows, chosen_columns = min_weight_full_bipartite_matching(graph.tocsr(), maximize=True)
    partner = np.full(len(rows), -1)
    partner[chosen_rows] = chosen_columns
    return np.asarray(candidates[partner[row_of] == column_of], dtype=np.int64)


@dataclass(frozen=True)
class Counts:
    """Matches at one threshold; add them up over images for the scores of a data set.

    Attributes:
        true_positives: predicted instances with a partner in the truth.
        false_positives: predicted instances without one.
        false_negatives: true instances without one.
        iou: sum of the IoU of all matches.
    """

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0
    iou: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
            self.iou + other.iou,
        )

    @property
    def precision(self) -> float:
        """TP / (TP + FP): the share of what was found that is there; NaN where nothing was found."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """TP / (TP + FN): the share of what is there that was found; NaN where nothing is there."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN) (Goldsborough et al. 2024, section 3.2); NaN where there is nothing."""
        return _ratio(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)

    @property
    def ap_dsb(self) -> float:
        """TP / (TP + FP + FN) (Schmidt et al. 2018, as in Lalit et al. 2022); NaN where there is nothing."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives + self.false_negatives)

    @property
    def segmentation_quality(self) -> float:
        """The mean IoU of the matches (thesis of Goldsborough, section 4.3.7); NaN where there are none."""
        return _ratio(self.iou, self.true_positives)

    @property
    def panoptic_quality(self) -> float:
        """SQ times F1 (Kirillov et al. 2019, equation 1); NaN where there is nothing."""
        return _ratio(self.iou, self.true_positives + (self.false_positives + self.false_negatives) / 2)


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else float("nan")


def count_matches(predicted: Labels, truth: Labels, threshold: float = 0.5) -> Counts:
    """Count matches at an IoU of at least ``threshold``.

    Args:
        predicted: a label map.
        truth: another of the same shape.
        threshold: in (0, 1].

    Raises:
        ValueError: the shapes differ, or a label is negative.
    """
    return count_pairs(overlaps(predicted, truth), threshold)


def count_pairs(pairs: Overlaps, threshold: float) -> Counts:
    """Count matches as :func:`count_matches` does, where the overlaps are known already.

    Args:
        pairs: of :func:`overlaps`, the prediction first.
        threshold: in (0, 1].
    """
    chosen = match(pairs, threshold)
    return Counts(
        true_positives=len(chosen),
        false_positives=len(pairs.first_ids) - len(chosen),
        false_negatives=len(pairs.second_ids) - len(chosen),
        iou=float(pairs.iou[chosen].sum()),
    )


def f1(predicted: Labels, truth: Labels, threshold: float = 0.5) -> float:
    """Return F1 at an IoU threshold: 2 TP / (2 TP + FP + FN) (Goldsborough et al. 2024, section 3.2).

    Args:
        predicted: a label map.
        truth: another of the same shape.
        threshold: in (0, 1].

    Returns:
        A number from 0 to 1; NaN if neither map has an instance.

    Raises:
        ValueError: the shapes differ, or a label is negative.
    """
    return count_matches(predicted, truth, threshold).f1


def f1_mu(predicted: Labels, truth: Labels, thresholds: Iterable[float] = F1_MU_THRESHOLDS) -> float:
    """Return F1µ, the mean of F1 over IoU thresholds (Goldsborough et al. 2024, section 3.2).

    Args:
        predicted: a label map.
        truth: another of the same shape.
        thresholds: those of the paper by default.

    Returns:
        A number from 0 to 1; NaN if neither map has an instance.

    Raises:
        ValueError: the shapes differ, or a label is negative.
    """
    pairs = overlaps(predicted, truth)
    return float(np.mean([count_pairs(pairs, threshold).f1 for threshold in thresholds]))


def segmentation_quality(predicted: Labels, truth: Labels, threshold: float = 0.5) -> float:
    """Return SQ, the mean IoU of the matches above an IoU threshold (thesis of Goldsborough, section 4.3.7).

    Args:
        predicted: a label map.
        truth: another of the same shape.
        threshold: in (0, 1]; the thesis uses 0.5.

    Returns:
        A number from ``threshold`` to 1; NaN if nothing matches.

    Raises:
        ValueError: the shapes differ, or a label is negative.
    """
    return count_matches(predicted, truth, threshold).segmentation_quality


def ap_dsb(predicted: Labels, truth: Labels, threshold: float = 0.5) -> float:
    """Return AP_dsb at an IoU threshold: TP / (TP + FP + FN) (Schmidt et al. 2018; Lalit et al. 2022, section 3).

    The papers report it at each of :data:`AP_DSB_THRESHOLDS`, and average it over the images.

    Args:
        predicted: a label map.
        truth: another of the same shape.
        threshold: in (0, 1].

    Returns:
        A number from 0 to 1; NaN if neither map has an instance.

    Raises:
        ValueError: the shapes differ, or a label is negative.
    """
    return count_matches(predicted, truth, threshold).ap_dsb
