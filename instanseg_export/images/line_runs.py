"""A label map as runs: pixels of one label that follow each other along the last axis.

An object has about a tenth as many runs as pixels, so that what is measured of objects is measured faster from them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .image import Array

__all__ = ["LineRuns", "find_line_runs", "paint_line_runs"]

Integers = npt.NDArray[np.int64]


class LineRuns(NamedTuple):
    """Runs of a label map, ascending and disjoint; none goes on in the next line.

    Attributes:
        first, stop: (R,), first pixel and the one behind the last, as places in the flattened map.
        label: (R,), of the map's type, never 0.
    """

    first: Integers
    stop: Integers
    label: Array


def find_line_runs(labels: Array) -> LineRuns:
    """Return the runs of a label map of any shape, 0 for background."""
    lines = np.ascontiguousarray(labels).reshape(-1, labels.shape[-1])
    starts = lines != 0
    stops = starts.copy()
    differ = lines[:, 1:] != lines[:, :-1]
    starts[:, 1:] &= differ
    stops[:, :-1] &= differ
    first = np.flatnonzero(starts)
    return LineRuns(first, np.flatnonzero(stops) + 1, lines.ravel()[first])


def paint_line_runs(runs: LineRuns, shape: tuple[int, ...]) -> Array:
    """Return the label map of a shape that has these runs.

    Raises:
        ValueError: they are not ascending and disjoint, or do not fit the shape.
    """
    edges = np.stack([runs.first, runs.stop], axis=1).ravel()
    size = int(np.prod(shape))
    lengths = np.diff(edges, prepend=0, append=size)
    if (lengths < 0).any():
        raise ValueError("the runs")
    values = np.zeros(lengths.size, dtype=runs.label.dtype)
    values[1::2] = runs.label
    return np.repeat(values, lengths).reshape(shape)
