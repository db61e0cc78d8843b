"""Objects as runs: rows of pixels that follow each other along the last axis.

Two tiles' objects are compared by them without painting either: runs of one label map are disjoint and sorted, so that
a binary search finds those which two maps have in common. A run is about a tenth of an object's pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...images.line_runs import find_line_runs
from ..box import Box

__all__ = ["Runs", "common_pixels", "find_runs"]

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of objects, disjoint and ascending.

    Attributes:
        start, stop: (R,), first pixel and the one behind the last, as places in the flattened plane.
        row: (R,), the object each belongs to, as a row of its table.
    """

    start: Integers
    stop: Integers
    row: Integers

    def __len__(self) -> int:
        return int(self.start.size)

    def of(self, which: npt.NDArray[Any]) -> Runs:
        """Return some of them: those of a mask or of ascending places."""
        return Runs(self.start[which], self.stop[which], self.row[which])

    def inside(self, window: Box, plane: tuple[int, ...]) -> Runs:
        """Return what lies in a window of the plane; runs that it cuts become shorter."""
        width = plane[-1]
        line = self.start // width
        first = np.maximum(self.start - line * width, window.low[-1])
        last = np.minimum(self.stop - line * width, window.high[-1])
        held = first < last
        rest = line
        for axis in range(len(plane) - 2, -1, -1):
            rest, place = np.divmod(rest, plane[axis])
            held &= (place >= window.low[axis]) & (place < window.high[axis])
        line = line[held] * width
        return Runs(line + first[held], line + last[held], self.row[held])

    def outside(self, inner: Box, plane: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Tell of each run whether a part of it lies outside of a box."""
        width = plane[-1]
        line = self.start // width
        found = (self.start - line * width < inner.low[-1]) | (self.stop - line * width > inner.high[-1])
        rest = line
        for axis in range(len(plane) - 2, -1, -1):
            rest, place = np.divmod(rest, plane[axis])
            found |= (place < inner.low[axis]) | (place >= inner.high[axis])
        return found

    def areas(self, count: int) -> Integers:
        """Return the pixels of each of ``count`` rows."""
        sums = np.bincount(self.row, weights=self.stop - self.start, minlength=count)
        return sums.astype(np.int64)


def find_runs(labels: npt.NDArray[Any], row_of: Integers, low: tuple[int, ...], plane: tuple[int, ...]) -> Runs:
    """Return the runs of a tile's label map.

    Args:
        labels: of the tile, 0 for background.
        row_of: by label, its row.
        low: the pixel of the plane at which the tile starts.
        plane: shape of the plane.
    """
    found = find_line_runs(labels)
    *lines, place = np.unravel_index(found.first, labels.shape)
    start = place + low[-1]
    stride = plane[-1]
    for axis in range(labels.ndim - 2, -1, -1):
        start = start + (lines[axis] + low[axis]) * stride
        stride *= plane[axis]
    return Runs(start, start + (found.stop - found.first), row_of[found.label])


def common_pixels(one: Runs, two: Runs) -> tuple[Integers, Integers, Integers]:
    """Return each pair of objects that share pixels: the row of either, and the number of those pixels."""
    low = np.searchsorted(two.stop, one.start, side="right")
    high = np.searchsorted(two.start, one.stop, side="left")
    many = np.maximum(high - low, 0)
    left = np.repeat(np.arange(len(one)), many)
    right = np.arange(left.size) - np.repeat(np.cumsum(many) - many, many) + np.repeat(low, many)
    shared = np.minimum(one.stop[left], two.stop[right]) - np.maximum(one.start[left], two.start[right])
    columns = int(two.row.max(initial=0)) + 1
    pairs, places = np.unique(one.row[left] * columns + two.row[right], return_inverse=True)
    sums = np.bincount(places.ravel(), weights=shared, minlength=pairs.size).astype(np.int64)
    return pairs // columns, pairs % columns, sums
