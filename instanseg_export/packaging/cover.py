"""The picture by which people recognise a model: an image, and beside it what the model finds in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..images import fullest_slice, overlay

__all__ = ["write_cover"]

MAX_BYTES = 500_000
"""The zoo's limit."""

_SIDES = (448, 320, 224, 128)


def _square(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Cut the largest square out of the middle of an array (..., H, W)."""
    height, width = array.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return array[..., top : top + side, left : left + side]


def write_cover(path: Path, image: NDArray[np.float32], labels: NDArray[np.float32]) -> None:
    """Write a PNG of 2:1 and less than 500 KB: left the image, right the outlines of its instances.

    Args:
        path: of the PNG.
        image: (C, H, W) raw, or (C, D, H, W), of which one slice is shown.
        labels: (T, H, W) integer-valued, or (T, D, H, W).
    """
    from PIL import Image

    if image.ndim == 4:
        place = fullest_slice(labels)
        image, labels = image[:, place], labels[:, place]

    image, labels = np.asarray(_square(image)), np.asarray(_square(labels))
    plain = overlay(image, np.zeros_like(labels))
    outlined = overlay(image, labels)
    for side in _SIDES:
        # Nearest neighbour on the way up keeps the pixels that the model saw; Lanczos on the way down keeps outlines.
        resample = Image.Resampling.NEAREST if side >= plain.shape[0] else Image.Resampling.LANCZOS
        halves = [np.asarray(Image.fromarray(half).resize((side, side), resample)) for half in (plain, outlined)]
        Image.fromarray(np.concatenate(halves, axis=1)).save(path, format="PNG", optimize=True)
        if path.stat().st_size < MAX_BYTES:
            return
