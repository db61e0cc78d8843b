"""From an image's pixel size to the model's, and label maps back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import ImageError
from .image import Array

__all__ = ["rescale", "rescale_labels"]

_LARGEST_FACTOR = 32.0


def rescale(image: Array, from_um: float, to_um: float) -> npt.NDArray[np.float32]:
    """Resample an image so that a pixel's edge becomes ``to_um``: linear, after a Gaussian blur where it shrinks.

    Args:
        image: (C, H, W), any type.
        from_um: edge of its pixels, in micrometres.
        to_um: edge of the result's pixels, in micrometres.

    Returns:
        (C, H', W') float32 in the range of ``image``, with H' = round(H * from_um / to_um), at least 1.

    Raises:
        ImageError: the two sizes differ by more than a factor of 32.
    """
    from skimage.transform import resize

    factor = from_um / to_um
    if not 1 / _LARGEST_FACTOR <= factor <= _LARGEST_FACTOR:
        raise ImageError(
            f"The image's pixel size is {from_um:g} µm and the model's is {to_um:g} µm: they are too far apart.",
            hint="Give the image's true pixel size in micrometres with --pixel-size.",
        )
    channels, height, width = image.shape
    shape = (channels, max(1, round(height * factor)), max(1, round(width * factor)))
    data = image.astype(np.float32)
    if shape == data.shape:
        return data
    resized = resize(  # type: ignore[no-untyped-call]
        data, shape, order=1, mode="reflect", anti_aliasing=factor < 1, preserve_range=True
    )
    return np.asarray(resized, dtype=np.float32)


def rescale_labels(labels: Array, shape: tuple[int, int]) -> tuple[Array, list[int]]:
    """Resample label maps to another height and width by the nearest pixel, which invents no ids.

    Going to fewer pixels can drop an instance between two samples; none is lost silently.

    Args:
        labels: (T, H, W), integer-valued.
        shape: height and width of the result.

    Returns:
        The label maps, (T, *shape), and the ids that are in ``labels`` but not in them.
    """
    _, height, width = labels.shape
    rows = ((np.arange(shape[0]) + 0.5) * height / shape[0]).astype(np.int64)
    columns = ((np.arange(shape[1]) + 0.5) * width / shape[1]).astype(np.int64)
    resampled = labels[:, rows[:, None], columns[None, :]]
    return resampled, [int(label) for label in np.setdiff1d(labels, resampled) if label]
