"""What a label map loses, doubles and joins of the objects of another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from instanseg_export.evaluation.metrics import match, overlaps

__all__ = ["errors"]


def errors(truth: npt.NDArray[np.integer], final: npt.NDArray[np.integer]) -> tuple[int, int, int]:
    """Return how many planted objects are lost, doubled, and joined with others.

    Lost is what has no object of IoU 0.5 or more. Doubled are objects without such a partner of which more than half
    lies in a planted object that has one. Joined are objects that hold more than half of two planted ones.
    """
    pairs = overlaps(truth, final)
    matched = match(pairs, 0.5)
    has, is_one = np.zeros(pairs.first_ids.size, dtype=bool), np.zeros(pairs.second_ids.size, dtype=bool)
    has[pairs.first[matched]], is_one[pairs.second[matched]] = True, True
    in_truth = pairs.shared > 0.5 * pairs.second_areas[pairs.second]
    double = in_truth & has[pairs.first] & ~is_one[pairs.second]
    holds = pairs.shared > 0.5 * pairs.first_areas[pairs.first]
    joined = np.bincount(pairs.second[holds], minlength=1) > 1
    return int((~has).sum()), int(double.sum()), int(joined.sum())
