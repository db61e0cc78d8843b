"""A slide made small, without ever holding it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import ImageError
from ...images.image import Array
from ...progress import Progress
from ..box import Box
from ..sources.source import SlideSource
from .blocks import blocks_of

__all__ = ["Thumbnail", "read_thumbnail"]


@dataclass(frozen=True)
class Thumbnail:
    """A small picture of a slide.

    Attributes:
        pixels: (C, H, W) float32: means of the pixels that each covers, over all slices of a volume.
        scale: (y, x) pixels of full resolution for each of its own.
        unread: (H, W), which of its pixels are black since the slide could not be read there.
    """

    pixels: npt.NDArray[np.float32]
    scale: tuple[float, float]
    unread: npt.NDArray[np.bool_]


def read_thumbnail(
    source: SlideSource,
    channels: Sequence[int],
    longest: int = 2048,
    progress: Progress | None = None,
    *,
    tolerant: bool = False,
) -> Thumbnail:
    """Read a slide at low resolution: from the smallest level that has as many pixels, averaged block by block.

    Args:
        source: the slide.
        channels: that are wanted, in that order.
        longest: pixels of the longer side, at most.
        progress: is told how far it is.
        tolerant: leave blocks black that cannot be read.

    Raises:
        ImageError: what is read is damaged, missing, or does not fit into memory.
    """
    levels = source.info.levels
    enough = [
        place for place, level in enumerate(levels) if max(level.shape[-2:]) >= min(longest, max(levels[0].shape[-2:]))
    ]
    level = max(enough)
    shape = levels[level].shape[1:]
    times = max(1, math.ceil(max(shape[-2:]) / longest))
    small = tuple(math.ceil(size / times) for size in shape[-2:])
    total = np.zeros((len(channels), *small))
    count = np.zeros(small)
    blocks = blocks_of(Box.of(shape), times)
    for done, block in enumerate(blocks):
        if progress is not None:
            progress("Reading the slide at low resolution", done, len(blocks))
        place = tuple(low // times for low in block.low[-2:])
        try:
            pixels = source.read(level, block, channels)
        except ImageError:
            if not tolerant:
                raise
            continue
        for channel, own in zip(pixels, total, strict=True):
            plane = _plane(channel)
            summed = _summed(plane, times)
            window = tuple(slice(first, first + size) for first, size in zip(place, summed.shape, strict=True))
            own[window] += summed
        count[window] += _summed(np.full(plane.shape, float(block.size // math.prod(plane.shape))), times)
    down = levels[level].downsample[-2:]
    pixels = (total / np.maximum(count, 1)).astype(np.float32)
    return Thumbnail(pixels, (down[0] * times, down[1] * times), count == 0)


def _plane(channel: Array) -> npt.NDArray[np.float64]:
    """Return the sum over slices, with 0 for what is no finite number."""
    finite = np.nan_to_num(channel, nan=0.0, posinf=0.0, neginf=0.0) if channel.dtype.kind == "f" else channel
    return np.asarray(finite.sum(axis=0, dtype=np.float64) if channel.ndim == 3 else finite.astype(np.float64))


def _summed(plane: npt.NDArray[np.float64], times: int) -> npt.NDArray[np.float64]:
    """Return the sums of squares of so many pixels; those at the end have fewer."""
    rows, columns = (np.arange(0, size, times) for size in plane.shape)
    return np.asarray(np.add.reduceat(np.add.reduceat(plane, rows, axis=0), columns, axis=1))
