"""How well a label map agrees with another one, whatever the numbers of the instances."""

from __future__ import annotations

import numpy as np

from instanseg_export.evaluation.metrics import match, overlaps

__all__ = ["agreement"]


def agreement(found: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Return the share of instances matched at an IoU of 0.99, and the share of pixels in the same instance."""
    pairs = overlaps(found, expected)
    instances = max(len(pairs.first_ids), len(pairs.second_ids))
    matched = len(match(pairs, 0.99)) / instances if instances else 1.0
    translated = np.zeros(int(found.max()) + 1, dtype=np.int64)
    translated[1:] = -1
    for pair in match(pairs, 0.5):
        translated[pairs.first_ids[pairs.first[pair]]] = pairs.second_ids[pairs.second[pair]]
    return matched, float((translated[found.astype(np.int64)] == expected).mean())
