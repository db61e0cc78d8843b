"""What every source of pixels is: a slide or a volume that is opened, and read part by part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ...errors import ImageError
from ...images.image import Array, PixelSize
from ...untrusted.boundary import parsing
from ..box import Box

__all__ = ["Level", "SlideInfo", "SlideSource", "levels_of"]

_REMEDY = "Copy or export it again; if other programs open it, save it as an OME-TIFF."


@dataclass(frozen=True)
class Level:
    """One resolution of a slide.

    Attributes:
        shape: (C, H, W), or (C, D, H, W) for a volume.
        downsample: pixels of full resolution for each of its own, (z,) y, x. Pixel i of an axis covers full resolution
            from i * downsample to (i + 1) * downsample.
    """

    shape: tuple[int, ...]
    downsample: tuple[float, ...]

    @property
    def box(self) -> Box:
        """Return all of its pixels."""
        return Box.of(self.shape[1:])


@dataclass(frozen=True)
class SlideInfo:
    """What is known of a slide before its pixels are read.

    Attributes:
        path: of the file or folder; for messages alone where the slide is an array or lies elsewhere.
        levels: the full resolution first, each smaller than the one before.
        dtype: of the values.
        pixel_size: (y, x) of full resolution in micrometres; None when the file does not say.
        pixel_size_note: where that is from, or why there is none, as one sentence.
        channel_names: one per channel.
        notes: one sentence for each thing that was assumed.
        slice_distance: of a volume at full resolution, in micrometres; None when the file does not say.
    """

    path: Path
    levels: tuple[Level, ...]
    dtype: np.dtype[Any]
    pixel_size: PixelSize | None
    pixel_size_note: str
    channel_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    slice_distance: float | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (C, H, W), or (C, D, H, W), of full resolution."""
        return self.levels[0].shape


class SlideSource(ABC):
    """A slide that is opened. It belongs to one thread; other workers open their own.

    Attributes:
        info: what is known of it.
    """

    info: SlideInfo

    @property
    def found(self) -> tuple[str, ...]:
        """Return sentences about what reading has brought to light, such as parts that the file lacks."""
        return ()

    def read(self, level: int, box: Box, channels: Sequence[int]) -> Array:
        """Decode a part of a level.

        Args:
            level: its place among ``info.levels``.
            box: that is wanted, in pixels of the level.
            channels: that are wanted, in that order; others are not read where the format allows.

        Returns:
            (C, *box), in the slide's own type.

        Raises:
            ImageError: what is read is damaged, missing, or does not fit into memory.
            ValueError: the box or a channel lies outside of the level.
        """
        shape = self.info.levels[level].shape
        if box.within(Box.of(shape[1:])) != box or not all(0 <= channel < shape[0] for channel in channels):
            raise ValueError(f"{box} or channels {list(channels)} are not in level {level} of shape {shape}")
        if not box.size or not channels:
            return np.zeros((len(channels), *box.shape), self.info.dtype)
        with parsing(self.info.path, "the image", ImageError, hint=_REMEDY):
            array = self._read(level, box, channels)
        return np.ascontiguousarray(array, dtype=self.info.dtype)

    @abstractmethod
    def _read(self, level: int, box: Box, channels: Sequence[int]) -> Array:
        """Decode a part that is known to be there."""

    def close(self) -> None:  # noqa: B027 -- few have something to close
        """Release what is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def levels_of(
    shapes: Sequence[tuple[int, ...]], stated: Sequence[tuple[float, ...] | None] | None = None
) -> tuple[Level, ...]:
    """Return levels with their downsampling.

    Writers round sizes up or down: a level of 250 rows below 1,001 is four times smaller, and not 4.004 times, which
    would be off by a pixel at the far end. So whole factors that explain the size count as meant.

    Args:
        shapes: (C, ..., H, W) of each, the full resolution first.
        stated: downsampling along (z,) y, x by the file; None for a level of which it does not say.
    """
    full = shapes[0][1:]
    levels = []
    for place, shape in enumerate(shapes):
        said = stated[place] if stated is not None else None
        if said is None or not all(_explains(*sizes) for sizes in zip(full, shape[1:], said, strict=True)):
            said = _downsample(full, shape[1:])
        levels.append(Level(shape, said))
    return tuple(levels)


def _downsample(full: tuple[int, ...], shape: tuple[int, ...]) -> tuple[float, ...]:
    largest = max(range(len(full) - 2, len(full)), key=lambda axis: shape[axis])
    common = float(max(1, round(full[largest] / shape[largest])))
    return tuple(
        1.0 if whole == part else common if _explains(whole, part, common) else whole / part
        for whole, part in zip(full, shape, strict=True)
    )


def _explains(whole: int, part: int, factor: float) -> bool:
    """Tell whether a size is another one divided by a factor, and rounded."""
    return factor > 0 and abs(whole / factor - part) < 1 + 1e-9
