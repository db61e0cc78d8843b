"""Upstream's outputs on real images, and how well ours agree with them."""

from __future__ import annotations

from typing import Any

import pytest

from support.agreement import agreement
from support.paths import SHARED, VARIANTS

__all__ = ["GOLDEN", "SLOW_ON_LARGE", "agreement"]

_LARGE = ("dsb_2cfa61bef654", "dsb_61dc249314d7", "fluorescence_example", "he_example_512")


def _cases(marks: list[pytest.MarkDecorator]) -> list[Any]:
    cases = []
    for variant in VARIANTS:
        names = [path.stem for path in sorted((SHARED / "golden" / variant).glob("*.npz"))]
        for name in names or ["no reference data"]:
            cases.append(pytest.param(variant, name, marks=marks if name in _LARGE else [], id=f"{variant}-{name}"))
    return cases


GOLDEN = _cases([])
"""Variant and name of every reference."""

SLOW_ON_LARGE = _cases([pytest.mark.slow])
"""The same, with the large images left to the slow tests."""
