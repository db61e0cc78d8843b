"""Planes of planted ellipses, and networks that find them: an exact one, and one that errs as networks do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from instanseg_export.slides.box import Box

__all__ = ["Ellipses", "Noise", "plant"]

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Noise:
    """How a network errs; each tile errs on its own.

    Attributes:
        missed, split, joined: chances that an object is not found, is found in halves, or is found with a neighbour.
        moved: pixels, the spread of its centre.
        resized: the spread of its axes, as a share.
        edge: pixels from the edge of what is seen within which all of that is ``worse`` times as much.
        worse: how much.
    """

    missed: float = 0.0003
    split: float = 0.0003
    joined: float = 0.0003
    moved: float = 0.6
    resized: float = 0.03
    edge: float = 40.0
    worse: float = 1.0


@dataclass(frozen=True, eq=False)
class Ellipses:
    """Planted ellipses; where two overlap, the pixels are the first one's.

    Attributes:
        shape: of the plane.
        centres: (N, 2), y and x, in raster order of the grid on which they stand.
        axes: (N, 2), half axes.
        angles: (N,), of the first axis against y.
    """

    shape: tuple[int, int]
    centres: npt.NDArray[np.float64]
    axes: npt.NDArray[np.float64]
    angles: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.angles.size)

    def near(self, box: Box) -> npt.NDArray[np.int64]:
        """Return those that may have a pixel in a box."""
        reach = self.axes.max(axis=1, keepdims=True) + 2
        low, high = np.array(box.low), np.array(box.high)
        return np.flatnonzero(((self.centres + reach > low) & (self.centres - reach < high)).all(axis=1))

    def labels(self, box: Box) -> Labels:
        """Return the truth in a box; the label of ellipse r is r + 1."""
        labels = np.zeros(box.shape, dtype=np.int32)
        for row in self.near(box):
            _draw(labels, box, row + 1, self.centres[row], self.axes[row], float(self.angles[row]))
        return labels

    def seen(self, box: Box, noise: Noise | None = None, seed: int = 0) -> Labels:
        """Return what a network finds in a box, numbered from 1 as it draws them."""
        if noise is None:
            return _numbered(self.labels(box))
        random = np.random.default_rng([seed, *box.low])
        inner = _without_edges(box, self.shape, noise.edge)
        labels = np.zeros(box.shape, dtype=np.int32)
        number = 0
        previous: npt.NDArray[np.float64] | None = None
        for row in self.near(box):
            centre = self.centres[row]
            inside = bool((centre >= inner.low).all() and (centre < inner.high).all())
            worse = 1.0 if inside else noise.worse
            shift, size = random.normal(0, noise.moved * worse, 2), 1 + random.normal(0, noise.resized * worse, 2)
            missed, joined, split = random.random(3) < np.array([noise.missed, noise.joined, noise.split]) * worse
            if missed:
                continue
            axes = np.maximum(self.axes[row] * size.clip(0.5, 1.5), 1.5)
            beside = previous is not None and float(np.abs(previous - centre).max()) < 50
            if not (joined and beside):
                number += 1
            _draw(labels, box, number, centre + shift, axes, float(self.angles[row]))
            if split:
                number += 1
                below = labels[max(0, round(float(centre[0])) - box.low[0]) :]
                below[below == number - 1] = number
            previous = centre
        return labels


def _without_edges(box: Box, shape: tuple[int, int], margin: float) -> Box:
    low = tuple(int(start + margin) if start > 0 else -(1 << 20) for start in box.low)
    high = tuple(int(stop - margin) if stop < length else 1 << 30 for stop, length in zip(box.high, shape, strict=True))
    return Box(low, high)


def _numbered(labels: Labels) -> Labels:
    present = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.int32)
    present[labels.ravel()] = 1
    present[0] = 0
    return (np.cumsum(present, dtype=np.int32) * present)[labels]


def _draw(
    labels: Labels,
    box: Box,
    number: int,
    centre: npt.NDArray[np.float64],
    axes: npt.NDArray[np.float64],
    angle: float,
) -> None:
    reach = float(axes.max()) + 1
    low = np.maximum(np.floor(centre - reach).astype(int), box.low)
    high = np.minimum(np.ceil(centre + reach).astype(int) + 1, box.high)
    if (low >= high).any():
        return
    y, x = np.ogrid[low[0] : high[0], low[1] : high[1]]
    down, right = y - centre[0], x - centre[1]
    along, across = down * np.cos(angle) + right * np.sin(angle), right * np.cos(angle) - down * np.sin(angle)
    window = labels[low[0] - box.low[0] : high[0] - box.low[0], low[1] - box.low[1] : high[1] - box.low[1]]
    window[((along / axes[0]) ** 2 + (across / axes[1]) ** 2 <= 1) & (window == 0)] = number


def plant(shape: tuple[int, int], spacing: float, seed: int = 0, *, count: int | None = None) -> Ellipses:
    """Plant ellipses on a jittered grid, so close that some touch.

    Args:
        shape: of the plane.
        spacing: pixels between neighbours.
        seed: of the random numbers.
        count: how many at most.
    """
    random = np.random.default_rng(seed)
    places = [np.arange(spacing / 2, length, spacing) for length in shape]
    centres = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, 2)[:count]
    centres = centres + random.uniform(-0.15, 0.15, centres.shape) * spacing
    axes = random.uniform(0.25, 0.52, centres.shape) * spacing
    angles = random.uniform(0, np.pi, (centres.shape[0],))
    return Ellipses(shape, centres, axes, angles)
