"""How sure a figure is: images are drawn again and again, with replacement, and the figure taken each time.

This is the percentile bootstrap (Efron and Tibshirani 1993, chapter 13). What is drawn are units: images, or groups of
images that are not independent, such as crops of one field. All figures of an evaluation are taken of the same draws,
so that those of two files on the same images can be compared draw by draw, which is far more telling than to compare
two intervals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["LEVEL", "TIMES", "Resampling"]

Values = npt.NDArray[np.float64]

TIMES = 2000
"""Draws. The bounds of an interval then move by about a hundredth of its width from one seed to another."""

LEVEL = 0.95
"""An interval holds this share of the draws."""

_SEED = 0


class Resampling:
    """Draws of units.

    Args:
        units: that each image belongs to, by name.
        times: draws.
    """

    def __init__(self, units: Sequence[str], times: int = TIMES) -> None:
        names, place = np.unique(np.asarray(units, dtype=str), return_inverse=True)
        self._count = len(names)
        self._place = place
        chance = np.random.default_rng(_SEED)
        self._weights = (
            chance.multinomial(self._count, np.full(self._count, 1 / self._count), size=times)
            if self._count
            else np.zeros((times, 0), dtype=np.int64)
        )

    def draws(self, above: Values, below: Values) -> Values:
        """Return a figure in each draw; NaN where it has none there.

        Args:
            above: numerators (images, K).
            below: denominators, alike. The figure is the mean over K of the ratio of their sums.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((self._sums(above) / self._sums(below)).mean(axis=1))

    def _sums(self, values: Values) -> Values:
        of_units = np.zeros((self._count, values.shape[1]))
        np.add.at(of_units, self._place, values)
        return self._weights @ of_units

    def interval(self, draws: Values) -> tuple[float, float] | None:
        """Return the bounds that hold 95 % of the draws; None of fewer than two units, which tell nothing."""
        known = draws[np.isfinite(draws)]
        if self._count < 2 or not known.size:
            return None
        low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(low), float(high)
