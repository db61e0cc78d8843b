"""The one form that every image file is read into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ImageError

__all__ = ["RGB", "Array", "Image", "check_memory", "default_names", "without_alpha"]

Array = npt.NDArray[Any]
RGB = ("red", "green", "blue")


@dataclass(frozen=True)
class Image:
    """An image or a volume, with channels.

    Attributes:
        array: (C, H, W), or (C, D, H, W) for a volume, in the file's own type and range.
        pixel_size: edge of a pixel in micrometres; None when the file does not say, or says that pixels are not square.
        channel_names: one per channel.
        path: where it was read from.
        slice_distance: of a volume, in micrometres; None when the file does not say.
    """

    array: Array
    pixel_size: float | None
    channel_names: tuple[str, ...]
    path: Path
    slice_distance: float | None = None


def default_names(channels: int, *, colour: bool) -> tuple[str, ...]:
    """Return names for the channels of a file that has none."""
    return RGB if colour and channels == 3 else tuple(f"channel {index + 1}" for index in range(channels))


def without_alpha(array: Array, path: Path) -> Array:
    """Drop the last channel of grey + alpha or RGB + alpha samples, (2 or 4, H, W), if it is opaque everywhere.

    Raises:
        ImageError: it is not, so that the colours are not what a viewer shows.
    """
    alpha = array[-1]
    opaque = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "ui" else 1
    if alpha.size and not (alpha == opaque).all():
        raise ImageError(
            f"{path} is partly transparent: its alpha channel goes from {alpha.min()} to {alpha.max()}.",
            hint="Flatten it in an image editor, or save it without the alpha channel.",
        )
    return array[:-1]


def check_memory(path: Path, size: int) -> None:
    """Refuse an image that cannot fit.

    Args:
        path: the file, for the message.
        size: of its pixels in bytes, unpacked.

    Raises:
        ImageError: it is larger than the memory that is free.
    """
    import psutil

    free = psutil.virtual_memory().available
    if size > free:
        raise ImageError(
            f"{path} needs {size / 1e9:.1f} GB unpacked, but only {free / 1e9:.1f} GB of memory are free.",
            hint="Crop it, save a smaller level of its pyramid, or segment it tile by tile in QuPath.",
        )
