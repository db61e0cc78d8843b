"""Images of any kind that is read here, held in memory: those whose formats cannot be read in parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...images import read_image
from ...images.image import Array
from ..box import Box
from .source import SlideInfo, SlideSource, levels_of

__all__ = ["WholeSlide"]


class WholeSlide(SlideSource):
    """An image that is read at once.

    Args:
        path: of the file or folder.
        dimensions: 2 for an image, 3 for a volume.

    Raises:
        ImageError: as for :func:`..images.read_image`; also where it does not fit into memory.
    """

    def __init__(self, path: Path, dimensions: int) -> None:
        image = read_image(path, dimensions)
        self._array = image.array
        self.info = SlideInfo(
            path,
            levels_of([image.array.shape]),
            image.array.dtype,
            image.pixel_size,
            image.pixel_size_note,
            image.channel_names,
            image.notes,
            image.slice_distance,
        )

    def _read(self, level: int, box: Box, channels: Sequence[int]) -> Array:
        return self._array[(slice(None), *box.slices)][list(channels)]
