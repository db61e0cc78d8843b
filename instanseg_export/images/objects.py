"""The objects of a label map: where each lies, and what is measured of it.

Places are counted from the outer corner of the first pixel, as ImageJ and QuPath count them: the centre of the first
pixel lies at 0.5, and a box that starts at 0 and is 1 wide is the first pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .image import Array
from .line_runs import LineRuns, find_line_runs

__all__ = ["Measured", "Piece", "compact", "measure", "measure_masks", "pieces", "pieces_of_masks"]

_SLAB = 1 << 22
"""Pixels that are looked at together, so that intermediate arrays stay small."""


@dataclass(frozen=True)
class Piece:
    """One object, cut out of its image.

    Attributes:
        label: its id.
        top, left: the pixel of the image at which ``mask`` starts.
        mask: (h, w), its pixels.
    """

    label: int
    top: int
    left: int
    mask: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Measured:
    """A row for each object of one structure; D is 2 for images and 3 for volumes.

    Attributes:
        labels: (N,), the ids, ascending.
        sizes: (N,), pixels or voxels of each.
        centroids: (N, D), in pixels, (z,) y, x.
        low, high: (N, D), the box around each, in pixels; ``high`` is not in it.
        means: (N, C), of each channel over the object's pixels that are finite numbers; NaN where none is.
    """

    labels: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    centroids: npt.NDArray[np.float64]
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]
    means: npt.NDArray[np.float64]


def compact(labels: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Return the ids that occur, ascending, and the map with their places from 1 on, 0 for background.

    Args:
        labels: whole numbers from 0 on, of any shape.
    """
    largest = int(labels.max(initial=0))
    if largest <= labels.size:
        present = np.zeros(largest + 1, dtype=bool)
        present[labels.astype(np.int64, copy=False).ravel()] = True
    else:  # a few ids of any size
        ids, places = np.unique(labels, return_inverse=True)
        shift = 0 if ids[0] == 0 else 1
        return ids[ids > 0].astype(np.int64), (places.reshape(labels.shape) + shift).astype(np.int32)
    present[0] = False
    ids = np.flatnonzero(present)
    table = np.zeros(largest + 1, dtype=np.int32)
    table[ids] = np.arange(1, ids.size + 1)
    return ids.astype(np.int64), table[labels.astype(np.int64, copy=False)]


def pieces(labels: Array) -> Iterator[Piece]:
    """Yield each object of a label map (H, W), in the order of ids."""
    from scipy import ndimage

    ids, places = compact(labels)
    for place, (label, box) in enumerate(zip(ids, ndimage.find_objects(places), strict=True), start=1):
        yield Piece(int(label), box[0].start, box[1].start, places[box] == place)


def pieces_of_masks(masks: Array) -> Iterator[Piece]:
    """Yield each object of masks that may overlap, (N, H, W); row r has the label r + 1. Empty ones are left out."""
    for row, mask in enumerate(masks):
        down, right = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if down.size:
            box = slice(down[0], down[-1] + 1), slice(right[0], right[-1] + 1)
            yield Piece(row + 1, int(down[0]), int(right[0]), mask[box].astype(bool))


def measure(labels: Array, image: Array) -> Measured:
    """Measure each object of a label map.

    Args:
        labels: (H, W), or (D, H, W) of a volume.
        image: (C, *the same), any type.
    """
    runs = find_line_runs(labels)
    ids, rows = np.unique(runs.label, return_inverse=True)
    count, axes, length = ids.size, labels.ndim, runs.stop - runs.first
    sizes = np.bincount(rows, weights=length, minlength=count)
    centroids = np.zeros((count, axes))
    low, high = np.zeros((count, axes), dtype=np.int64), np.zeros((count, axes), dtype=np.int64)
    order = np.argsort(rows, kind="stable")
    begins = np.searchsorted(rows[order], np.arange(count))
    for axis, first in enumerate(np.unravel_index(runs.first, labels.shape) if count else ()):
        extent = length if axis == axes - 1 else np.ones_like(length)
        centroids[:, axis] = np.bincount(rows, weights=(first + extent / 2) * length) / sizes
        low[:, axis] = np.minimum.reduceat(first[order], begins)
        high[:, axis] = np.maximum.reduceat((first + extent)[order], begins)
    means = np.full((count, image.shape[0]), np.nan)
    for channel, values in enumerate(image):
        sums, finite = _sums(values, runs)
        total, many = (np.bincount(rows, weights=each, minlength=count) for each in (sums, finite))
        np.divide(total, many, out=means[:, channel], where=many > 0)
    return Measured(ids.astype(np.int64), sizes.astype(np.int64), centroids, low, high, means)


def _sums(values: Array, runs: LineRuns) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the sum over each run's finite numbers, and how many those are."""
    line = int(np.prod(values.shape[1:]))
    step = max(1, _SLAB // max(1, line))
    sums, counts = np.zeros(len(runs.first)), runs.stop - runs.first
    for start in range(0, values.shape[0], step):
        held = slice(*np.searchsorted(runs.first, [start * line, (start + step) * line]))
        if held.start == held.stop:
            continue
        slab = np.asarray(values[start : start + step], dtype=np.float64).ravel()
        edges = np.stack([runs.first[held], runs.stop[held]], axis=1).ravel() - start * line
        edges = edges[: -1 if edges[-1] == slab.size else None]  # the last run then goes to the end by itself
        good = np.isfinite(slab)
        if not good.all():
            counts[held] = np.add.reduceat(good.astype(np.int64), edges)[::2]
            slab = np.where(good, slab, 0.0)
        sums[held] = np.add.reduceat(slab, edges)[::2]
    return sums, counts


def measure_masks(masks: Array, image: Array) -> Measured:
    """Measure each of several masks that may overlap, (N, H, W), on an image (C, H, W); empty ones are left out."""
    found = list(pieces_of_masks(masks))
    means = np.full((len(found), image.shape[0]), np.nan)
    centroids = np.zeros((len(found), 2))
    for row, piece in enumerate(found):
        height, width = piece.mask.shape
        down, right = np.nonzero(piece.mask)
        centroids[row] = down.mean() + piece.top + 0.5, right.mean() + piece.left + 0.5
        seen = image[:, piece.top : piece.top + height, piece.left : piece.left + width]
        for channel, values in enumerate(np.asarray(seen[:, piece.mask], dtype=np.float64)):
            good = values[np.isfinite(values)]
            means[row, channel] = good.mean() if good.size else np.nan
    low = np.array([[piece.top, piece.left] for piece in found], dtype=np.int64).reshape(-1, 2)
    size = np.array([piece.mask.shape for piece in found], dtype=np.int64).reshape(-1, 2)
    return Measured(
        labels=np.array([piece.label for piece in found], dtype=np.int64),
        sizes=np.array([np.count_nonzero(piece.mask) for piece in found], dtype=np.int64),
        centroids=centroids,
        low=low,
        high=low + size,
        means=means,
    )
