"""Slides in scanners' own formats, through OpenSlide: NDPI, MIRAX, DICOM and more (extra ``openslide``).

OpenSlide gives 8-bit colours, which is what these scanners store.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ...images.image import RGB, Array
from ...images.lengths import number, stated, unsaid
from ...images.notes import about_pixel_size
from ...images.readers.tiff_segments import SegmentCache
from ...untrusted.boundary import parsing, plain
from ..box import Box
from .source import SlideInfo, SlideSource, levels_of

__all__ = ["OpenSlideSlide", "openslide_format"]

_BLOCK = 1024
"""Pixels are always asked for in the same blocks. Levels need not be whole factors apart, and OpenSlide takes places in
whole pixels of full resolution: another block, and the same pixel could come out shifted by a part."""


def openslide_format(path: Path) -> str | None:
    """Return OpenSlide's name for a file's format; None if it has none, or OpenSlide is not installed."""
    try:
        import openslide
    except (ImportError, OSError):  # the latter without its library
        return None
    try:
        vendor = openslide.OpenSlide.detect_format(str(path))
    except openslide.OpenSlideError:
        return None
    return None if vendor is None else str(vendor)


class OpenSlideSlide(SlideSource):
    """A slide that OpenSlide reads.

    Args:
        path: of the file.
        dimensions: 2; OpenSlide knows no volumes.

    Raises:
        ImageError: it is damaged, a volume is wanted, or OpenSlide is not installed.
    """

    def __init__(self, path: Path, dimensions: int) -> None:
        try:
            import openslide
        except (ImportError, OSError) as error:
            raise ImageError(
                f"{path} is read by OpenSlide, which is not installed.",
                hint="pip install 'instanseg-export[openslide]'",
            ) from error
        if dimensions == 3:
            raise ImageError(f"{path} is a flat image, and the model takes volumes.", hint="Give a stack of slices.")
        with parsing(path, "the slide", ImageError):
            self._slide: Any = openslide.OpenSlide(str(path))
        properties = self._slide.properties
        self._background = _colour(str(properties.get("openslide.background-color", "FFFFFF")))
        self._cache = SegmentCache()
        kept = [0]
        for level, (width, _) in enumerate(self._slide.level_dimensions):
            if width < self._slide.level_dimensions[kept[-1]][0]:
                kept.append(level)
        self._places = kept
        sizes = [self._slide.level_dimensions[level] for level in kept]
        said = [properties.get(f"openslide.mpp-{axis}") for axis in "yx"]
        size = (
            unsaid()
            if said == [None, None]
            else stated(number(said[0]), number(said[1]), "OpenSlide properties", ", ".join(map(str, said)))
        )
        note, remarks = about_pixel_size(path, size)
        self.info = SlideInfo(
            path,
            levels_of([(3, height, width) for width, height in sizes]),
            np.dtype(np.uint8),
            size.size,
            note,
            RGB,
            (f"{path.name} is read by OpenSlide ({plain(properties.get('openslide.vendor', '?'), 40)}).", *remarks),
        )

    def _read(self, level: int, box: Box, channels: Sequence[int]) -> Array:
        out = np.empty((len(channels), *box.shape), np.uint8)
        whole = self.info.levels[level].box
        rows, columns = (
            range(low // _BLOCK, (high - 1) // _BLOCK + 1) for low, high in zip(box.low, box.high, strict=True)
        )
        for row, column in product(rows, columns):
            low = (row * _BLOCK, column * _BLOCK)
            block = Box(low, (low[0] + _BLOCK, low[1] + _BLOCK)).within(whole)
            shared = block.within(box)
            inside = shared.shifted((-block.low[0], -block.low[1])).slices
            place = shared.shifted((-box.low[0], -box.low[1])).slices
            out[(slice(None), *place)] = self._block(level, block)[list(channels)][(slice(None), *inside)]
        return out

    def _block(self, level: int, block: Box) -> Array:
        """Return (3, H, W) of a block, from the cache if it is there."""
        kept = self._cache.get((level, block.low))
        if kept is not None:
            return kept[0]
        own = self._places[level]
        factor = self._slide.level_downsamples[own]
        place = (round(block.low[1] * factor), round(block.low[0] * factor))
        picture = np.asarray(self._slide.read_region(place, own, block.shape[::-1]))
        # What was not scanned is transparent.
        opacity = picture[..., 3:].astype(np.float32) / 255
        colours = (
            picture[..., :3] if opacity.min() == 1 else picture[..., :3] * opacity + self._background * (1 - opacity)
        )
        array = np.ascontiguousarray(np.moveaxis(np.rint(colours).astype(np.uint8), -1, 0))
        self._cache.put((level, block.low), array)
        return array

    def close(self) -> None:
        """See :class:`.source.SlideSource`."""
        self._slide.close()


def _colour(text: str) -> Array:
    """Return a background colour, (3,), from six hexadecimal digits; white from anything else."""
    try:
        return np.array([int(text[place : place + 2], 16) for place in (0, 2, 4)], np.float32)
    except ValueError:
        return np.full(3, 255, np.float32)
