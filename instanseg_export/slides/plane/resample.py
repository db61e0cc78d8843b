"""Resampling of a part of an image, so that it comes out as the same part of the resampled image.

:func:`...images.rescale.rescale` resamples whole images: a Gaussian blur where pixels get fewer, then linear
interpolation between the centres of pixels, mirrored at the edges. A pixel depends on its neighbours only. So a part
is computed from the pixels that it needs, at the places that the pixels have in the whole.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..box import Box

__all__ = ["needed", "resample"]

_TRUNCATED = 4.0
"""Standard deviations at which scipy, and so scikit-image, cuts a Gaussian."""

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]


def needed(box: Box, step: tuple[float, ...], start: tuple[float, ...], shape: tuple[int, ...]) -> Box:
    """Return the pixels of an image that a part of the resampled one is made of.

    Args:
        box: of the part, in pixels of the resampled image.
        step: pixels of the image for each of the resampled one.
        start: where the resampled image begins, in pixels of the image.
        shape: of the image.
    """
    low, high = [], []
    for first, stop, by, begin, size in zip(box.low, box.high, step, start, shape, strict=True):
        margin = _radius(by) + 1
        low.append(max(0, min(size - 1, math.floor(_place(first, by, begin)) - margin)))
        high.append(max(1, min(size, math.floor(_place(stop - 1, by, begin)) + margin + 2)))
    return Box(tuple(low), tuple(high))


def resample(
    pixels: Floats,
    window: Box,
    box: Box,
    step: tuple[float, ...],
    start: tuple[float, ...],
    shape: tuple[int, ...],
) -> Floats:
    """Resample a part of an image.

    Args:
        pixels: (C, *window), float32 or float64, finite.
        window: where they lie in the image; at least :func:`needed`.
        box: of the part that is wanted, in pixels of the resampled image.
        step: pixels of the image for each of the resampled one.
        start: where the resampled image begins, in pixels of the image.
        shape: of the image.

    Returns:
        (C, *box), of the type of ``pixels``.
    """
    from scipy import ndimage

    sigma = [max(0.0, (by - 1) / 2) for by in step]
    out = np.empty((len(pixels), *box.shape), pixels.dtype)
    for channel, result in zip(pixels, out, strict=True):
        # At the edge of the window that is not the image's the blur is wrong; the margin keeps that out of the part.
        blurred = ndimage.gaussian_filter(channel, sigma, mode="mirror", truncate=_TRUNCATED) if any(sigma) else channel
        values: npt.NDArray[np.float64] = blurred.astype(np.float64)
        for axis in range(values.ndim):
            values = _between(values, axis, window.low[axis], box, step[axis], start[axis], shape[axis])
        result[...] = values
    return out


def _between(
    values: npt.NDArray[np.float64], axis: int, low: int, box: Box, step: float, start: float, size: int
) -> npt.NDArray[np.float64]:
    """Interpolate along an axis."""
    places = _place(np.arange(box.low[axis], box.high[axis]), step, start)
    before = np.floor(places).astype(np.int64)
    weight = (places - before).reshape([-1 if place == axis else 1 for place in range(values.ndim)])
    first, second = (np.take(values, _mirrored(index, size) - low, axis=axis) for index in (before, before + 1))
    return np.asarray(first * (1 - weight) + second * weight)


def _place(index: npt.ArrayLike, step: float, start: float) -> npt.NDArray[np.float64]:
    """Return where the centre of a resampled pixel lies, where the centre of the image's first pixel is 0."""
    return np.asarray((np.asarray(index, np.float64) + 0.5) * step + start - 0.5)


def _mirrored(index: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """Return indices inside of an axis, mirrored at the centres of its first and last pixels."""
    if size == 1:
        return np.zeros_like(index)
    inside = np.abs(index) % (2 * (size - 1))
    return np.asarray(np.minimum(inside, 2 * (size - 1) - inside))


def _radius(step: float) -> int:
    return int(_TRUNCATED * max(0.0, (step - 1) / 2) + 0.5)
