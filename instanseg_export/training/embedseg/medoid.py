"""The pixel of an instance that is nearest to all of its others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["mark_medoids"]

_MOST = 3000
"""Pixels up to which all distances are computed: their number grows with the square."""


def mark_medoids(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Mark the medoid of each instance: of its pixels, that with the smallest sum of distances to the others.

    That is Lalit et al. 2022, section 2. Of instances of more than 3,000 pixels it is the pixel nearest to the median
    of their coordinates, which the authors call the approximate medoid.

    Args:
        labels: (T, [D,] H, W), 0 or less where there is no instance.

    Returns:
        bool of the same shape.
    """
    marked = np.zeros(labels.shape, dtype=bool)
    for plane, result in zip(labels, marked, strict=True):
        inside = np.flatnonzero(plane > 0)
        order = inside[np.argsort(plane.reshape(-1)[inside], kind="stable")]
        own = plane.reshape(-1)[order]
        for pixels in np.split(order, np.flatnonzero(np.diff(own)) + 1):
            if len(pixels):
                places = np.stack(np.unravel_index(pixels, plane.shape), axis=1)
                result.reshape(-1)[pixels[_medoid(places)]] = True
    return marked


def _medoid(places: npt.NDArray[Any]) -> int:
    if len(places) > _MOST:
        return int(((places - np.median(places, axis=0)) ** 2).sum(axis=1).argmin())
    from scipy.spatial.distance import cdist

    return int(cdist(places, places).sum(axis=1).argmin())
