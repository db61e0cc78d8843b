"""From an image's pixel size to the model's, and label maps back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..errors import ImageError
from .image import Array, PixelSize

__all__ = ["SAME_SIZE", "check_factors", "rescale", "rescale_labels", "rescaled_shape"]

SAME_SIZE = 0.01
"""Pixel sizes that differ by no more than this part are taken as equal: resampling would only blur the image."""

_LARGEST_FACTOR = 32.0


def rescale(image: Array, from_um: PixelSize, to_um: PixelSize, axial: float = 1.0) -> npt.NDArray[np.float32]:
    """Resample an image so that its pixels become of size ``to_um``: linear, after a Gaussian blur where it shrinks.

    Each axis has its own factor: pixels that are not square become those of the model.

    Args:
        image: (C, H, W), or (C, D, H, W) of a volume, any type.
        from_um: (y, x) size of its pixels, in micrometres.
        to_um: (y, x) size of the result's pixels, in micrometres.
        axial: of a volume: how many slices the result has for each of its slices.

    Returns:
        (C, [D',] H', W') float32 in the range of ``image``, with H' = round(H * from_um[0] / to_um[0]), at least 1, and
        W' likewise.

    Raises:
        ImageError: the two sizes differ by more than a factor of 32 along an axis.
    """
    from skimage.transform import resize

    factors = [axial] * (image.ndim - 3) + [old / new for old, new in zip(from_um, to_um, strict=True)]
    check_factors(factors, from_um, to_um)
    shape = (image.shape[0], *rescaled_shape(image.shape[1:], factors))
    data = image.astype(np.float32)
    if shape == data.shape:
        return data
    resized = resize(data, shape, order=1, mode="reflect", anti_aliasing=min(factors) < 1, preserve_range=True)
    return np.asarray(resized, dtype=np.float32)


def rescaled_shape(shape: Sequence[int], factors: Sequence[float]) -> tuple[int, ...]:
    """Return the size of an image along each axis once it has ``factors`` times as many pixels, at least 1."""
    return tuple(max(1, round(size * factor)) for size, factor in zip(shape, factors, strict=True))


def check_factors(factors: Sequence[float], from_um: PixelSize, to_um: PixelSize) -> None:
    """Refuse to resample an image out of recognition.

    Args:
        factors: how many pixels it is to have for each that it has, along each axis.
        from_um: (y, x) size of its pixels in micrometres, for the message.
        to_um: (y, x) that they are to have.

    Raises:
        ImageError: a factor is above 32 or below a 32nd.
    """
    if not all(1 / _LARGEST_FACTOR <= factor <= _LARGEST_FACTOR for factor in factors):
        raise ImageError(
            f"The image's pixel size is {_micrometres(from_um)} and the model's is {_micrometres(to_um)}: "
            "they are too far apart.",
            hint="Give the image's true pixel size in micrometres with --pixel-size.",
        )


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


def _micrometres(size: PixelSize) -> str:
    return f"{size[0]:g} µm" if size[0] == size[1] else f"{size[0]:g} x {size[1]:g} µm"
