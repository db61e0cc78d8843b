"""Arrays that Python holds: numpy, zarr and dask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ...images.image import Array, PixelSize, default_names
from ...images.readers.zarr_folder import arranged
from ..box import Box
from .source import SlideInfo, SlideSource, levels_of

__all__ = ["ArraySlide", "GivenArray", "StoredArray"]

_AXES = {(2, 2): "yx", (2, 3): "cyx", (3, 3): "zyx", (3, 4): "czyx"}
"""Of arrays whose axes are not named, by (dimensions, axes of the array)."""


@dataclass(frozen=True, eq=False)
class GivenArray:
    """An array, or a pyramid of arrays, and what is known of it.

    Attributes:
        levels: anything with ``shape``, ``dtype`` and slicing, the full resolution first.
        axes: a letter of czyx for each axis; "" for the usual: (c) y x, or (c) z y x of a volume.
        pixel_size: (y, x) of full resolution in micrometres; None if unknown.
        slice_distance: of a volume, in micrometres; None if unknown.
        channel_names: one for each channel, or none.
        name: for messages.
    """

    levels: tuple[Any, ...]
    axes: str = ""
    pixel_size: PixelSize | None = None
    slice_distance: float | None = None
    channel_names: tuple[str, ...] = ()
    name: str = "array"

    def stored(self, folder: Path) -> GivenArray:
        """Return the same with numpy arrays written into a folder: to be given to workers without a copy for each.

        Arrays of zarr, dask and memory-mapped files travel as they are.
        """
        levels = []
        for place, level in enumerate(self.levels):
            if isinstance(level, np.ndarray) and not isinstance(level, np.memmap):
                path = folder / f"{self.name}.{place}.npy"
                np.save(path, level, allow_pickle=False)
                level = StoredArray(path)
            levels.append(level)
        return replace(self, levels=tuple(levels))


class StoredArray:
    """An array in a .npy file, opened by whoever reads it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        opened = np.load(path, mmap_mode="r", allow_pickle=False)
        self.shape, self.dtype = opened.shape, opened.dtype

    def __getitem__(self, key: Any) -> Array:
        return np.asarray(np.load(self._path, mmap_mode="r", allow_pickle=False)[key])


class ArraySlide(SlideSource):
    """An array, or a pyramid of arrays.

    Args:
        given: the arrays.
        dimensions: 2 for an image, 3 for a volume.

    Raises:
        ImageError: it has no axes of an image, or of a volume, no pixels, or values of another kind than numbers.
    """

    def __init__(self, given: GivenArray, dimensions: int) -> None:
        self._given = given
        shape = tuple(int(size) for size in given.levels[0].shape)
        dtype = np.dtype(given.levels[0].dtype)
        self._axes = given.axes.lower() or _AXES.get((dimensions, len(shape)), "")
        wanted = {"y", "x", "z"} if dimensions == 3 else {"y", "x"}
        if len(self._axes) != len(shape) or len(set(self._axes)) != len(shape) or set(self._axes) - {"c"} != wanted:
            raise ImageError(
                f"{given.name} has shape {shape} and axes {self._axes or '?'}, which are not those of "
                f"{'a volume' if dimensions == 3 else 'an image'}.",
                hint=f"Name its axes, as in {'czyx' if dimensions == 3 else 'cyx'}.",
            )
        if 0 in shape or dtype.kind not in "buif":
            raise ImageError(
                f"{given.name} has shape {shape} and values of type {dtype}.", hint="Give an array of numbers."
            )
        shapes = [self._shape_of(level) for level in given.levels]
        same = all(one[0] == shapes[0][0] and len(one) == len(shapes[0]) for one in shapes)
        falling = all(one[-1] > other[-1] for one, other in pairwise(shapes))
        if not same or not falling or any(np.dtype(level.dtype) != dtype for level in given.levels):
            raise ImageError(
                f"{given.name} has levels of shapes {', '.join(map(str, shapes))}, which are no pyramid.",
                hint="Give arrays of one type, the full resolution first, with the same channels.",
            )
        names = given.channel_names
        if names and len(names) != shapes[0][0]:
            raise ImageError(
                f"{given.name} has {shapes[0][0]} channels, and {len(names)} names of channels.",
                hint="Give one name for each channel.",
            )
        self.info = SlideInfo(
            Path(given.name),
            levels_of(shapes),
            dtype.newbyteorder("="),
            given.pixel_size,
            f"{given.name} comes {'without a' if given.pixel_size is None else 'with its'} pixel size.",
            names or default_names(shapes[0][0], colour=False),
            slice_distance=given.slice_distance,
        )

    def _shape_of(self, level: Any) -> tuple[int, ...]:
        sizes = dict(zip(self._axes, (int(size) for size in level.shape), strict=True))
        return (sizes.get("c", 1), *(sizes[axis] for axis in "zyx" if axis in sizes))

    def _read(self, level: int, box: Box, channels: Sequence[int]) -> Array:
        first = min(channels)
        spans = dict(zip("zyx"[-len(box.low) :], box.slices, strict=True)) | {"c": slice(first, max(channels) + 1)}
        part = self._given.levels[level][tuple(spans[axis] for axis in self._axes)]
        if hasattr(part, "compute"):
            # In the thread that asks: a worker of a cluster would wait for itself otherwise.
            part = part.compute(scheduler="synchronous")
        planes = arranged(np.asarray(part), self._axes, volume=len(box.low) == 3)
        return planes[[channel - first for channel in channels]]
