"""Label maps of others, checked before anything is counted in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import ImageError
from ..untrusted.boundary import plain

__all__ = ["read_label_map"]


def read_label_map(path: Path, structures: int, dimensions: int = 2) -> npt.NDArray[np.int64]:
    """Read the label map of an image.

    Args:
        path: of any format that :func:`read_image` reads. Values of any type count, if they are whole numbers.
        structures: of the model; a label map has a plane for each.
        dimensions: 2, or 3 for volumes.

    Returns:
        (T, H, W), or (T, D, H, W): 0 is background, every other number an instance.

    Raises:
        ImageError: it cannot be read, has another number of planes, or holds values that are no labels.
    """
    from . import read_image

    array = read_image(path, dimensions).array
    if array.shape[0] != structures:
        colours = array.shape[0] in (3, 4) and structures < 3
        raise ImageError(
            f"{path} has {array.shape[0]} planes, but the model finds {structures} "
            f"kind{'s' * (structures != 1)} of instances.",
            hint=(
                "It looks like a picture in colour. A label map has one number per pixel, and no colours: save the "
                "label image itself, as a 16-bit PNG or TIFF."
                if colours
                else "A label map has one plane per structure: nuclei, cells, or nuclei and then cells."
            ),
        )
    if not np.isfinite(array).all():
        raise ImageError(f"{path} holds values that are not finite.", hint="Label maps hold whole numbers from 0 on.")
    with np.errstate(invalid="ignore"):
        labels: npt.NDArray[np.int64] = array.astype(np.int64)
    if (labels != array).any() or labels.min() < 0:
        raise ImageError(
            f"{plain(path, 400)} is no label map: it holds {array.min():g} to {array.max():g}.",
            hint=_remedy(array, labels),
        )
    return labels


def _remedy(array: npt.NDArray[np.generic], labels: npt.NDArray[np.int64]) -> str:
    rule = "Label maps hold whole numbers: 0 for the background and one number per instance."
    if array.dtype.kind == "f" and (labels != array).any() and array.min() >= 0 and array.max() <= 1:
        return f"{rule} Values between 0 and 1 look like probabilities: give the label map made from them."
    if (labels == array).all():
        return f"{rule} Give regions that are to be left out the number 0, or cut them off."
    return rule
