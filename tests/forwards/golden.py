"""Upstream's outputs on real images, and how well ours agree with them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from exported_models import VARIANTS

from instanseg_export.metrics import match, overlaps

__all__ = ["GOLDEN", "SLOW_ON_LARGE", "agreement"]

_SHARED = Path(os.environ.get("INSTANSEG_EXPORT_SHARED", Path(__file__).resolve().parents[3] / "shared"))
_LARGE = ("dsb_2cfa61bef654", "dsb_61dc249314d7", "fluorescence_example", "he_example_512")


def _cases(marks: list[pytest.MarkDecorator]) -> list[object]:
    cases = []
    for variant in VARIANTS:
        names = [path.stem for path in sorted((_SHARED / "golden" / variant).glob("*.npz"))]
        for name in names or ["no reference data"]:
            cases.append(pytest.param(variant, name, marks=marks if name in _LARGE else [], id=f"{variant}-{name}"))
    return cases


GOLDEN = _cases([])
"""Variant and name of every reference."""

SLOW_ON_LARGE = _cases([pytest.mark.slow])
"""The same, with the large images left to the slow tests."""


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
