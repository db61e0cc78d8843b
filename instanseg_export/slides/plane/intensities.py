"""One scale of intensities for a whole plane, which no tile can know by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...inference.normalisation import is_unit_range
from .histogram import Histogram

__all__ = ["Intensities", "is_normalised"]

_SMALLEST_RANGE = 1e-6


@dataclass(frozen=True)
class Intensities:
    """How raw values become those that the model sees: (value - offset) / scale.

    Attributes:
        offset: of each channel.
        scale: of each channel, above 0.
        background: of each channel: what stands for values that are no finite numbers.
        notes: where they are from, as sentences.
    """

    offset: tuple[float, ...]
    scale: tuple[float, ...]
    background: tuple[float, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def by_percentiles(cls, histogram: Histogram, low: float = 0.1, high: float = 99.9) -> Intensities:
        """Return the scale that brings two percentiles of each channel to 0 and 1.

        That is what ``stages/normalize.py`` does with a whole image.
        """
        channels = range(len(histogram.values))
        ends = [[histogram.percentile(channel, percent) for percent in (low, high)] for channel in channels]
        ends = [[0.0, 1.0] if math.isnan(start) else [start, stop] for start, stop in ends]
        said = f"each channel's {low:g} and {high:g} percentiles over all that is segmented were brought to 0 and 1"
        return cls(
            tuple(start for start, _ in ends),
            tuple(max(stop - start, _SMALLEST_RANGE) for start, stop in ends),
            tuple(map(histogram.smallest, channels)),
            (f"Intensities: {said}, counted {_extent(histogram)}.", *_holes(histogram)),
        )

    @classmethod
    def standard(cls, histogram: Histogram) -> Intensities:
        """Return the scale that brings all channels together to mean 0 and standard deviation 1."""
        pairs = list(zip(histogram.values, histogram.counts, strict=True))
        total = sum(int(counts.sum()) for _, counts in pairs)
        least = min((float(values[0]) for values, _ in pairs if len(values)), default=0.0)
        most = max((float(values[-1]) for values, _ in pairs if len(values)), default=0.0)
        mean = math.fsum(float(np.dot(values.astype(np.float64), counts)) for values, counts in pairs) / max(total, 1)
        squares = math.fsum(float(np.dot((values.astype(np.float64) - mean) ** 2, counts)) for values, counts in pairs)
        deviation = max(math.sqrt(squares / max(total, 1)), _SMALLEST_RANGE * max(most - least, 1e-20))
        count = len(pairs)
        return cls(
            (mean,) * count,
            (deviation,) * count,
            tuple(map(histogram.smallest, range(count))),
            (
                "Intensities: all channels together were brought to mean 0 and standard deviation 1 over all that is "
                f"segmented, counted {_extent(histogram)}.",
                *_holes(histogram),
            ),
        )

    @classmethod
    def untouched(cls, histogram: Histogram) -> Intensities:
        """Return the scale that leaves values as they are."""
        count = len(histogram.values)
        return cls((0.0,) * count, (1.0,) * count, tuple(map(histogram.smallest, range(count))), _holes(histogram))

    def apply(self, pixels: npt.NDArray[np.float32] | npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Return what the model sees of a part of the plane.

        Args:
            pixels: (C, ...), finite, raw. Float32 is reckoned with in float32, as in an exported file.
        """
        out = np.empty(pixels.shape, np.float32)
        for channel, result, offset, scale in zip(pixels, out, self.offset, self.scale, strict=True):
            kind = channel.dtype.type
            result[...] = (channel - kind(offset)) / kind(scale)
        return out


def is_normalised(histogram: Histogram, kind: str) -> bool:
    """Tell whether a plane is normalised already: floats of which each channel goes from 0 to 1 by its percentiles.

    Args:
        histogram: of the plane.
        kind: of the slide's type: "f" for floats.
    """
    ends: Sequence[tuple[float, float]] = [
        (histogram.percentile(channel, 0.1), histogram.percentile(channel, 99.9))
        for channel in range(len(histogram.values))
    ]
    return kind == "f" and all(is_unit_range(low, high) for low, high in ends)


def _extent(histogram: Histogram) -> str:
    if all(histogram.exact):
        return f"in every one of {histogram.seen:,} pixels"
    return f"in every {histogram.step}th pixel along each axis, of {histogram.seen:,} pixels"


def _holes(histogram: Histogram) -> tuple[str, ...]:
    holes = histogram.holes
    return (f"{holes:,} values that are no finite numbers were taken as background.",) if holes else ()
