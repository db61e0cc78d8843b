"""From an image's pixel size to the model's, and label maps back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import ImageError
from .image import Array

__all__ = ["rescale", "rescale_labels"]

_LARGEST_FACTOR = 32.0


def rescale(image: Array, from_um: float, to_um: float, axial: float = 1.0) -> npt.NDArray[np.float32]:
    """Resample an image so that a pixel's edge becomes ``to_um``: linear, after a Gaussian blur where it shrinks.

    Args:
        image: (C, H, W), or (C, D, H, W) of a volume, any type.
        from_um: edge of its pixels, in micrometres.
        to_um: edge of the result's pixels, in micrometres.
        axial: of a volume: how many slices the result has for each of its slices.

    Returns:
        (C, [D',] H', W') float32 in the range of ``image``, with H' = round(H * from_um / to_um), at least 1.

    Raises:
        ImageError: the two sizes differ by more than a factor of 32.
    """
    from skimage.transform import resize

    factor = from_um / to_um
    if not all(1 / _LARGEST_FACTOR <= each <= _LARGEST_FACTOR for each in (factor, axial)):
        raise ImageError(
            f"The image's pixel size is {from_um:g} µm and the model's is {to_um:g} µm: they are too far apart.",
            hint="Give the image's true pixel size in micrometres with --pixel-size.",
        )
    factors = [axial] * (image.ndim - 3) + [factor, factor]
    sizes = (max(1, round(size * each)) for size, each in zip(image.shape[1:], factors, strict=True))
    shape = (image.shape[0], *sizes)
    data = image.astype(np.float32)
    if shape == data.shape:
        return data
    resized = resize(  # type: ignore[no-untyped-call]
        data, shape, order=1, mode="reflect", anti_aliasing=min(factors) < 1, preserve_range=True
    )
    return np.asarray(resized, dtype=np.float32)


def rescale_labels(labels: Array, shape: tuple[int, ...]) -> tuple[Array, list[int]]:
    """Resample label maps to another size by the nearest pixel, which invents no ids.

    Going to fewer pixels can drop an instance between two samples; none is lost silently.

    Args:
        labels: (T, H, W), or (T, D, H, W) of a volume, integer-valued.
        shape: of the result, without T.

    Returns:
        The label maps, (T, *shape), and the ids that are in ``labels`` but not in them.
    """
    places = [
        ((np.arange(new) + 0.5) * old / new).astype(np.int64) for new, old in zip(shape, labels.shape[1:], strict=True)
    ]
    resampled = labels[np.ix_(np.arange(labels.shape[0]), *places)]
    return resampled, [int(label) for label in np.setdiff1d(labels, resampled) if label]
