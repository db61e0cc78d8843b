"""How often each value occurs in the channels of a plane, counted block by block."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import ImageError
from ...images.image import Array
from ...progress import Progress
from ..box import Box
from ..sources.source import SlideSource
from .area import Area
from .blocks import blocks_of
from .levels import PlaneGeometry

__all__ = ["Histogram", "count_block", "count_plane", "sample_step"]

SAMPLE = 1 << 22
"""Values of a channel that are enough where not all can be kept: the 99.9 percentile stands above 4,000 of them."""

_MOST_DISTINCT = 1 << 18
"""Values of a channel that are counted each for itself where a type has more than 65,536."""

_AT_ONCE = 64
"""Parts that are joined together: one by one, a large sample would be sorted as often as there are blocks."""


@dataclass(frozen=True)
class Histogram:
    """What was counted. Parts are joined with :meth:`joined`, in any order, to the same result.

    Attributes:
        values: of each channel, distinct and rising.
        counts: of each channel, how often each occurs.
        exact: of each channel, whether that is every pixel; else it is the sample.
        seen: pixels that were looked at, of each channel.
        holes: values among them that are no finite numbers, of all channels.
        step: of the sample: every so many pixels along each axis.
        sampled: of each channel, (values, counts) of the sample, for types of which not every value can be counted.
        unread: why blocks are not in it, a sentence for each.
    """

    values: tuple[Array, ...]
    counts: tuple[npt.NDArray[np.int64], ...]
    exact: tuple[bool, ...]
    seen: int
    holes: int
    step: int
    sampled: tuple[tuple[Array, npt.NDArray[np.int64]], ...] = ()
    unread: tuple[str, ...] = ()

    @classmethod
    def joined(cls, parts: Iterable[Histogram]) -> Histogram:
        """Return the histogram of several parts of a plane together, at least one."""
        found = list(parts)
        first = found[0]
        channels = range(len(first.values))
        sampled = (
            tuple(_added([one.sampled[channel] for one in found]) for channel in channels) if first.sampled else ()
        )
        values, counts, exact = [], [], []
        for channel in channels:
            whole = all(one.exact[channel] for one in found)
            if whole:
                kept = _added([(one.values[channel], one.counts[channel]) for one in found])
                whole = not sampled or first.step == 1 or len(kept[0]) <= _MOST_DISTINCT
            if not whole:
                kept = sampled[channel]
            values.append(kept[0])
            counts.append(kept[1])
            exact.append(whole)
        return cls(
            tuple(values),
            tuple(counts),
            tuple(exact),
            sum(one.seen for one in found),
            sum(one.holes for one in found),
            first.step,
            sampled,
        )

    def percentile(self, channel: int, percent: float) -> float:
        """Return a percentile of a channel, interpolated linearly as numpy does; NaN if it has no value.

        Hyndman & Fan, The American Statistician 50, 361 (1996), definition 7.
        """
        values, counts = self.values[channel], self.counts[channel]
        if not len(values):
            return math.nan
        ends = np.cumsum(counts)
        place = float(np.true_divide(percent, 100)) * (int(ends[-1]) - 1)
        below = math.floor(place)
        part = place - below
        low = float(values[np.searchsorted(ends, below, side="right")])
        high = float(values[min(int(np.searchsorted(ends, below + 1, side="right")), len(values) - 1)])
        # From the nearer of the two, as numpy does, so that rounding is the same.
        return high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part

    def smallest(self, channel: int) -> float:
        """Return the least value of a channel; 0 if it has none."""
        return float(self.values[channel][0]) if len(self.values[channel]) else 0.0


def sample_step(geometry: PlaneGeometry) -> int:
    """Return how far the pixels of a sample are apart, along each axis of the level that is read."""
    domain = geometry.domain
    return max(1, math.ceil(math.pow(domain.size / SAMPLE, 1 / len(domain.low)) - 1e-9))


def count_plane(
    source: SlideSource,
    geometry: PlaneGeometry,
    channels: Sequence[int],
    area: Area | None = None,
    progress: Progress | None = None,
    *,
    tolerant: bool = False,
) -> Histogram:
    """Count the values of a plane, at the level that is read for it, one block after the other.

    Args:
        source: the slide.
        geometry: of the plane. That of ``lay_plane(info, box)``, for no pixel size, counts at full resolution.
        channels: that are counted.
        area: outside of which pixels do not count; None for all.
        progress: is told how far it is.
        tolerant: leave blocks out that cannot be read, unless that is all of them.

    Raises:
        ImageError: what is read is damaged, missing, or does not fit into memory.
    """
    blocks = blocks_of(geometry.domain)
    parts: list[Histogram] = []
    faults: list[ImageError] = []
    for done, block in enumerate(blocks):
        if progress is not None:
            progress("Measuring intensities", done, len(blocks))
        try:
            parts.append(count_block(source, geometry, channels, block, area))
        except ImageError as error:
            faults.append(error)
            if not tolerant or len(faults) == len(blocks):
                raise
        if len(parts) == _AT_ONCE:
            parts = [Histogram.joined(parts)]
    return replace(Histogram.joined(parts), unread=tuple(error.message for error in faults))


def count_block(
    source: SlideSource, geometry: PlaneGeometry, channels: Sequence[int], block: Box, area: Area | None = None
) -> Histogram:
    """Count the values of one of the blocks of a plane's level; see :func:`count_plane`.

    Args:
        source: the slide.
        geometry: of the plane.
        channels: that are counted.
        block: in pixels of the level, one of ``blocks_of(geometry.domain)``.
        area: outside of which pixels do not count; None for all.
    """
    step = sample_step(geometry)
    mask = None if area is None else _mask(source, geometry, block, area)
    if mask is not None and not mask.any():
        block = Box(block.low, block.low)
        mask = None
    planes = source.read(geometry.level, block, channels)
    starts = [-low % step for low in block.low]
    every = tuple(slice(start, None, step) for start in starts)
    dense = planes.dtype.kind == "b" or (planes.dtype.kind in "ui" and planes.dtype.itemsize <= 2)
    counted: list[tuple[Array, npt.NDArray[np.int64]]] = []
    sampled: list[tuple[Array, npt.NDArray[np.int64]]] = []
    exact: list[bool] = []
    holes = seen = 0
    for channel in planes:
        chosen = channel.ravel() if mask is None else channel[np.broadcast_to(mask, channel.shape)]
        seen = chosen.size
        if dense:
            counted.append(_dense(chosen))
            exact.append(True)
            continue
        some = channel[every]
        if mask is not None:
            some = some[np.broadcast_to(mask, channel.shape)[every]]
        good = some.ravel()
        if channel.dtype.kind == "f":
            holes += int(chosen.size - np.count_nonzero(np.isfinite(chosen)))
            good = good[np.isfinite(good)]
        sampled.append(_unique(good))
        counted.append(_unique(chosen) if channel.dtype.kind in "ui" and step > 1 else sampled[-1])
        exact.append(step == 1 or (channel.dtype.kind in "ui" and len(counted[-1][0]) <= _MOST_DISTINCT))
        if not exact[-1]:
            counted[-1] = sampled[-1]
    return Histogram(
        tuple(values for values, _ in counted),
        tuple(counts for _, counts in counted),
        tuple(exact),
        seen,
        holes,
        step,
        tuple(sampled),
    )


def _mask(source: SlideSource, geometry: PlaneGeometry, block: Box, area: Area) -> npt.NDArray[np.bool_]:
    down = source.info.levels[geometry.level].downsample
    y, x = ((np.arange(block.low[axis], block.high[axis], dtype=np.float64) + 0.5) * down[axis] for axis in (-2, -1))
    return area.inside(y, x)


def _dense(values: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """Count small whole numbers."""
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    least = int(np.iinfo(values.dtype).min)
    counts = np.bincount(values.astype(np.int64).ravel() - least)
    there = np.flatnonzero(counts)
    return (there + least).astype(values.dtype), counts[there].astype(np.int64)


def _unique(values: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    distinct, counts = np.unique(values, return_counts=True)
    return distinct, counts.astype(np.int64)


def _added(parts: Sequence[tuple[Array, npt.NDArray[np.int64]]]) -> tuple[Array, npt.NDArray[np.int64]]:
    """Join counts of values."""
    values: npt.NDArray[Any] = np.concatenate([one for one, _ in parts])
    counts = np.concatenate([one for _, one in parts])
    distinct, places = np.unique(values, return_inverse=True)
    total = np.zeros(len(distinct), np.int64)
    np.add.at(total, places, counts)
    return distinct, total
