"""Slides in TIFF files: OME-TIFF, SVS and the other formats that are TIFF inside."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from ...images.image import Array, Region
from ...images.readers.tiff import READER
from ...images.readers.tiff_segments import SegmentCache
from ..box import Box
from .source import SlideInfo, SlideSource, levels_of

__all__ = ["TiffSlide"]


class TiffSlide(SlideSource):
    """A pyramid, or a single image, in a TIFF file, of which only the strips and tiles that are needed are decoded.

    Args:
        path: of the file.
        dimensions: 2 for an image, 3 for a volume.
        series: place of the image among those of the file, from 0; by default the largest.

    Raises:
        ImageError: as for the TIFF reader, of any level.
    """

    def __init__(self, path: Path, dimensions: int, series: int | None = None) -> None:
        with ExitStack() as stack:
            opened = stack.enter_context(READER.open(path, dimensions, SegmentCache(), series))
            self._levels = opened.levels()
            self._files = stack.pop_all()
        info = opened.info
        self.info = SlideInfo(
            path,
            levels_of([level.shape for level in self._levels]),
            info.dtype,
            info.pixel_size,
            info.pixel_size_note,
            info.channel_names,
            info.notes,
            info.slice_distance,
        )

    @property
    def found(self) -> tuple[str, ...]:
        """See :class:`.source.SlideSource`."""
        lacking, expected = (sum(getattr(one, name) for one in self._levels) for name in ("lacking", "expected"))
        if not lacking:
            return ()
        return (
            f"{self.info.path.name} lacks {lacking} of {expected} strips or tiles: its writer left them out, and they "
            "were taken to be 0.",
        )

    def _read(self, level: int, box: Box, channels: Sequence[int]) -> Array:
        (top, left), (height, width) = box.low[-2:], box.shape[-2:]
        slices = range(box.low[0], box.high[0]) if len(box.low) == 3 else None
        return self._levels[level].read(channels, Region(top, left, height, width), slices)

    def close(self) -> None:
        """See :class:`.source.SlideSource`."""
        self._files.close()
