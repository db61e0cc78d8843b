"""What the seed map shall look like: how far inside of its instance each pixel lies."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["relative_distance"]


def relative_distance(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """Return the distance of each pixel to what is not its instance, relative to the instance's largest.

    That is d(L) of Goldsborough et al. 2024, equation 1. The borders of the image bound nothing: an instance that is
    cut by one has its middle where the visible part lies deepest.

    Args:
        labels: (T, H, W), 0 or less where there is no instance.

    Returns:
        (T, H, W) in [0, 1]: 0 outside of instances, 1 in the middle of each.
    """
    from scipy import ndimage

    found = np.zeros(labels.shape, dtype=np.float32)
    for plane, result in zip(labels, found, strict=True):
        height, width = plane.shape
        instances = np.maximum(plane, 0)
        for label, box in enumerate(ndimage.find_objects(instances), start=1):
            if box is None:
                continue
            rows = slice(max(box[0].start - 1, 0), min(box[0].stop + 1, height))
            columns = slice(max(box[1].start - 1, 0), min(box[1].stop + 1, width))
            # The pixel nearest to one inside that is not of the instance lies in its box or in the margin around it.
            own = instances[rows, columns] == label
            distance = ndimage.distance_transform_edt(own) if not own.all() else np.ones(own.shape)
            part = result[rows, columns]
            part[own] = (distance / distance.max())[own]
    return found
