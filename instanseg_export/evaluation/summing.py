"""From the counts of images to tables: per group and in all, pooled and as means, each figure with its interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from .intervals import Resampling
from .metrics import Counts
from .records import ALL, Curve, Difference, Estimate, How, Scores
from .scoring import METRICS, THRESHOLDS, Metric, terms

__all__ = ["Summing"]

Values = npt.NDArray[np.float64]
CountsAt = Mapping[float, Counts]

_HOW: tuple[How, ...] = ("pooled", "mean")


class Summing:
    """The counts of all files on all images, of one structure.

    Args:
        structure: as in "nuclei".
        groups: of each image.
        units: of each image, drawn as one.
        counts: by the key of a file, for each image; None where the file did not segment it.
        chosen: the IoU threshold.
    """

    def __init__(
        self,
        structure: str,
        groups: Sequence[str],
        units: Sequence[str],
        counts: Mapping[str, Sequence[CountsAt | None]],
        chosen: float,
    ) -> None:
        self._structure = structure
        self._groups = groups
        self._units = units
        self._counts = counts
        self._chosen = chosen
        self._drawn: dict[tuple[int, ...], Resampling] = {}

    def scores(self) -> Iterator[Scores]:
        """Yield the figures of each file and group."""
        for file in self._counts:
            for group in self._group_names():
                places = self._places(group, [file])
                counts = self._of(file, places)
                drawn = self._drawing(places)
                at = [one[self._chosen] for one in counts]
                matched = sum(one.true_positives for one in at)
                for how in _HOW:
                    yield Scores(
                        file=file,
                        structure=self._structure,
                        group=group,
                        how=how,
                        images=len(places),
                        true=matched + sum(one.false_negatives for one in at),
                        found=matched + sum(one.false_positives for one in at),
                        matched=matched,
                        scores={
                            metric.key: _estimate(drawn, *_ratio(metric, counts, self._chosen, how))
                            for metric in METRICS
                        },
                    )

    def differences(self) -> Iterator[Difference]:
        """Yield how each further file compares with the first, on the images that both segmented."""
        reference, *others = self._counts
        for file in others:
            for group in self._group_names():
                places = self._places(group, [reference, file])
                drawn = self._drawing(places)
                for how in _HOW:
                    scores = {}
                    for metric in METRICS:
                        first = _ratio(metric, self._of(reference, places), self._chosen, how)
                        second = _ratio(metric, self._of(file, places), self._chosen, how)
                        scores[metric.key] = _with_bounds(
                            drawn, _value(*second) - _value(*first), drawn.draws(*second) - drawn.draws(*first)
                        )
                    yield Difference(
                        file=file,
                        reference=reference,
                        structure=self._structure,
                        group=group,
                        how=how,
                        images=len(places),
                        scores=scores,
                    )

    def curves(self) -> Iterator[Curve]:
        """Yield F1 over thresholds of each file and group."""
        f1 = next(metric for metric in METRICS if metric.key == "f1")
        for file in self._counts:
            for group in self._group_names():
                places = self._places(group, [file])
                drawn = self._drawing(places)
                yield Curve(
                    file=file,
                    structure=self._structure,
                    group=group,
                    thresholds=THRESHOLDS,
                    f1=tuple(_estimate(drawn, *terms(f1, self._of(file, places), at)) for at in THRESHOLDS),
                )

    def _group_names(self) -> list[str]:
        names = sorted(set(self._groups))
        return [ALL, *names] if len(names) > 1 else [ALL]

    def _places(self, group: str, files: Sequence[str]) -> tuple[int, ...]:
        """Return the images of a group that files segmented."""
        return tuple(
            place
            for place, name in enumerate(self._groups)
            if group in (ALL, name) and all(self._counts[file][place] is not None for file in files)
        )

    def _of(self, file: str, places: Sequence[int]) -> list[CountsAt]:
        return [counts for place in places if (counts := self._counts[file][place]) is not None]

    def _drawing(self, places: tuple[int, ...]) -> Resampling:
        if places not in self._drawn:
            self._drawn[places] = Resampling([self._units[place] for place in places])
        return self._drawn[places]


def _ratio(metric: Metric, counts: Sequence[CountsAt], chosen: float, how: How) -> tuple[Values, Values]:
    """Return a figure as numerators and denominators of images."""
    above, below = terms(metric, counts, chosen)
    if how == "pooled":
        return above, below
    known: npt.NDArray[np.bool_] = np.asarray((below > 0).all(axis=1, keepdims=True))
    ratios: Values = np.divide(above, below, out=np.zeros_like(above), where=known)
    return np.asarray(ratios.mean(axis=1, keepdims=True)), known.astype(np.float64)


def _value(above: Values, below: Values) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        return float((above.sum(axis=0) / below.sum(axis=0)).mean())


def _estimate(drawn: Resampling, above: Values, below: Values) -> Estimate:
    return _with_bounds(drawn, _value(above, below), drawn.draws(above, below))


def _with_bounds(drawn: Resampling, value: float, draws: Values) -> Estimate:
    if not np.isfinite(value):
        return Estimate(value=None)
    low, high = drawn.interval(draws) or (None, None)
    return Estimate(value=value, low=low, high=high)
