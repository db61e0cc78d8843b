"""The one form that every image file is read into, and what is known of a file before its pixels are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import ImageError, TooLargeError

__all__ = [
    "RGB",
    "Array",
    "Image",
    "ImageInfo",
    "PixelSize",
    "Region",
    "check_memory",
    "default_names",
    "without_alpha",
]

Array = npt.NDArray[Any]
RGB = ("red", "green", "blue")

PixelSize = tuple[float, float]
"""Height and width of a pixel in micrometres, in the order of the array: (y, x)."""


class Region(NamedTuple):
    """A rectangle of an image, in pixels of the file."""

    y: int
    x: int
    height: int
    width: int


@dataclass(frozen=True)
class ImageInfo:
    """What a file says of its image, before any pixel is read.

    Attributes:
        shape: (C, H, W), or (C, D, H, W) for a volume, of the array that :func:`read_image` would return.
        dtype: of that array.
        pixel_size: (y, x) in micrometres; None when the file does not say, or not in a way that is understood.
        pixel_size_note: where the pixel size is from, or why there is none, as one sentence. "Does not say" and "says
            it in a way that is not understood" are different sentences.
        channel_names: one per channel.
        path: of the file.
        notes: one sentence for each thing that was assumed or that is converted when pixels are read.
        slice_distance: of a volume, in micrometres; None when the file does not say.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pixel_size: PixelSize | None
    pixel_size_note: str
    channel_names: tuple[str, ...]
    path: Path
    notes: tuple[str, ...] = ()
    slice_distance: float | None = None


@dataclass(frozen=True)
class Image:
    """An image or a volume, with channels.

    Attributes:
        array: (C, H, W), or (C, D, H, W) for a volume, in the file's own type and range.
        pixel_size: (y, x) in micrometres; None when the file does not say, or not in a way that is understood.
        channel_names: one per channel.
        path: where it was read from.
        slice_distance: of a volume, in micrometres; None when the file does not say.
        notes: one sentence for each thing that was assumed or converted.
        pixel_size_note: where the pixel size is from, or why there is none, as one sentence.
    """

    array: Array
    pixel_size: PixelSize | None
    channel_names: tuple[str, ...]
    path: Path
    slice_distance: float | None = None
    notes: tuple[str, ...] = ()
    pixel_size_note: str = ""


def default_names(channels: int, *, colour: bool) -> tuple[str, ...]:
    """Return names for the channels of a file that has none."""
    return RGB if colour and channels == 3 else tuple(f"channel {index + 1}" for index in range(channels))


def without_alpha(samples: Array, alpha: Sequence[int], path: Path) -> Array:
    """Drop the channels that state opacity from (S, H, W) samples, if they are opaque everywhere.

    Raises:
        ImageError: one is not, so that the colours are not what a viewer shows.
    """
    for index in alpha:
        plane = samples[index]
        opaque = np.iinfo(plane.dtype).max if plane.dtype.kind in "ui" else 1
        if plane.size and not (plane == opaque).all():
            raise ImageError(
                f"{path} is partly transparent: its alpha channel goes from {plane.min()} to {plane.max()}.",
                hint="Flatten it in an image editor, or save it without the alpha channel.",
            )
    return samples[[index for index in range(len(samples)) if index not in alpha]] if alpha else samples


def check_memory(path: Path, size: int) -> None:
    """Refuse what cannot fit.

    Args:
        path: the file, for the message.
        size: of the pixels that are read, in bytes, unpacked.

    Raises:
        TooLargeError: it is larger than the memory that is free.
    """
    import psutil

    free = psutil.virtual_memory().available
    if size > free:
        raise TooLargeError(
            f"{path} needs {size / 1e9:.1f} GB unpacked, but only {free / 1e9:.1f} GB of memory are free.",
            hint="Read a part of it, crop it, save a smaller level of it, or segment it in tiles with --tiled.",
        )
