"""The pixels of one image, or of one level of a pyramid, in a TIFF file."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ...untrusted.boundary import plain
from ..image import Array, Region
from .axes import layout_of
from .orientation import Orientation
from .tiff_colour import Colours, colours_of
from .tiff_page import check_page, read_page
from .tiff_segments import SegmentCache

__all__ = ["TiffPixels"]

_PAGES_KEPT = 256
"""Checked pages that are kept: checking one takes longer than reading a small part of it."""


class TiffPixels:
    """The pixels of a series of pages.

    Args:
        path: of the file.
        tif: a ``tifffile.TiffFile``.
        series: a ``tifffile.TiffPageSeries``.
        dimensions: 2 for an image, 3 for a volume.
        cache: keeps decoded strips and tiles, for those who read an image part by part.

    Attributes:
        path: of the file.
        keyframe: the first page, whose tags hold for all.
        layout: which page holds what.
        colours: what samples mean.
        orientation: what is done to make the image upright.
        shape: (C, H, W), or (C, D, H, W), of the upright image.
        dtype: of what is read.
        lacking: strips and tiles that the writer left out, of the pages that were read so far.
        expected: how many these pages should have.

    Raises:
        ImageError: the pages claim more than the file holds, or have axes or colours of a kind that is not read here.
    """

    def __init__(self, path: Path, tif: Any, series: Any, dimensions: int, cache: SegmentCache | None = None) -> None:
        self.path, self._tif, self._series, self._cache = path, tif, series, cache
        self._opened: list[Any] = []
        self._pages: OrderedDict[int, tuple[Any, Colours]] = OrderedDict()
        self._counted: set[int] = set()
        self.lacking = self.expected = 0
        self.keyframe = series.keyframe
        self._check(self.keyframe)
        self.colours = colours_of(path, self.keyframe)
        self.layout = layout_of(path, series, self.keyframe, dimensions)
        if self.layout.pages > 1:
            self.colours = self.colours.without_palette()
        self.orientation = Orientation.of(self.keyframe.tags.valueof(274, default=1), path)
        self._virtual = self._contiguous()
        layout = self.layout
        channels = layout.channels if layout.channels > 1 or layout.last else self.colours.channels
        depth = (layout.depth,) if dimensions == 3 else ()
        self.shape: tuple[int, ...] = (channels, *depth, *self.orientation.shape(layout.height, layout.width))
        self.dtype = self.colours.dtype

    def channel_pages(self) -> list[Any]:
        """Return the pages that hold the channels, where each has one of its own; none where they are not worth it."""
        layout = self.layout
        if self._virtual is not None or layout.last or layout.depth > 1 or layout.channels > 1000:
            return []
        return [self._load(layout.page(channel, 0)) for channel in range(layout.channels)]

    def read(self, channels: Sequence[int], region: Region, slices: range | None = None) -> Array:
        """Decode a part of the upright image.

        Args:
            channels: that are wanted, in that order.
            region: that is wanted.
            slices: of a volume, those that are wanted; by default all.

        Returns:
            (C, H, W), or (C, D, H, W).
        """
        layout = self.layout
        slices = range(layout.depth) if slices is None else slices
        stored = self.orientation.stored(region, layout.height, layout.width)
        array = self._read_last(channels, stored) if layout.last else self._read_planes(channels, stored, slices)
        upright: Array = self.orientation.apply(array)
        return upright if len(self.shape) == 4 else upright[:, 0]

    def _read_planes(self, channels: Sequence[int], region: Region, slices: range) -> Array:
        layout = self.layout
        deep = layout.page_depth
        pages = range(slices.start // deep, (slices.stop - 1) // deep + 1) if slices else range(0)
        out = np.zeros((len(channels), len(pages) * deep, region.height, region.width), self.dtype)
        if layout.channels > 1:
            for place, channel in enumerate(channels):
                for row, z in enumerate(pages):
                    out[place, row * deep : (row + 1) * deep] = self._plane(layout.page(channel, z), region)[0]
        else:
            for row, z in enumerate(pages):
                out[:, row * deep : (row + 1) * deep] = self._plane(layout.page(0, z), region)[list(channels)]
        first = slices.start - pages.start * deep
        return out[:, first : first + len(slices)]

    def _read_last(self, channels: Sequence[int], region: Region) -> Array:
        """Read pages that are rows of the image, with a column for each channel."""
        out = np.zeros((len(channels), 1, region.height, region.width), self.dtype)
        rows = Region(region.x, 0, region.width, self.layout.channels)
        for place in range(region.height):
            out[:, 0, place] = self._plane(region.y + place, rows)[0, 0].T[list(channels)]
        return out

    def _plane(self, index: int, region: Region) -> Array:
        """Return a page's channels, (C, D, H, W)."""
        if self._virtual is not None:
            part = self._virtual[index, :, :, region.y : region.y + region.height, region.x : region.x + region.width]
            samples = part[..., 0] if part.shape[0] > 1 else np.moveaxis(part[0], -1, 0)
            return self.colours.convert(np.array(samples, self.keyframe.dtype))
        page, colours = self._checked(index)
        return colours.convert(read_page(self.path, page, region, self._cache))

    def _checked(self, index: int) -> tuple[Any, Colours]:
        """Return a page that was compared with its file and with the first page, and what its samples mean."""
        if index in self._pages:
            self._pages.move_to_end(index)
            return self._pages[index]
        page, first = self._load(index), self.keyframe
        if (page.shaped, page.dtype) != (first.shaped, first.dtype):
            raise ImageError(
                f"{self.path} has pages of different kinds: page {index + 1} of the image is {page.dtype} "
                f"{page.shape}, the first {first.dtype} {first.shape}.",
                hint="Save the image that you mean as its own file.",
            )
        colours = self.colours if page is first else colours_of(self.path, page)
        if self.layout.pages > 1:
            colours = colours.without_palette()
        if (colours.channels, colours.dtype) != (self.colours.channels, self.colours.dtype):
            raise ImageError(
                f"{self.path} has pages of different kinds of colours.",
                hint="Save the image that you mean as its own file.",
            )
        lacking, expected = self._check(page)
        if index not in self._counted:
            self._counted.add(index)
            self.lacking, self.expected = self.lacking + lacking, self.expected + expected
        self._pages[index] = page, colours
        if len(self._pages) > _PAGES_KEPT:
            self._pages.popitem(last=False)
        return page, colours

    def _load(self, index: int) -> Any:
        """Return a page of the image with its own tags, not with those of the first page."""
        page = self._series[index]
        if page is None:
            raise ImageError(
                f"{self.path} lacks one of its {len(self._series)} pages.", hint="Copy or export it again."
            )
        handle = page.parent.filehandle
        if handle.closed:
            handle.open()
            self._opened.append(handle)
        if page is self.keyframe or page is page.keyframe:
            return page
        if not page.is_virtual:
            return page.aspage()
        whole = copy(page.keyframe)  # known from an index: it has no tags of its own
        whole.dataoffsets, whole.databytecounts = page.dataoffsets, page.databytecounts
        return whole

    def _check(self, page: Any) -> tuple[int, int]:
        handle = page.parent.filehandle
        own = self.path if page.parent is self._tif else self.path.parent / plain(handle.name)
        return check_page(own, page, handle.size)

    def _contiguous(self) -> Array | None:
        """Return the planes of a file that describes one page and holds more behind it, (N, S, D, H, W, samples)."""
        needed, series = self.layout.pages, self._series
        if len(series) == needed:
            return None
        offset, page = series.dataoffset, self.keyframe
        if len(series) != 1 or offset is None:
            raise ImageError(
                f"{self.path} has {len(series)} pages for {needed} planes that it says it has.",
                hint="Copy or export it again.",
            )
        end = offset + needed * math.prod(page.shaped) * page.dtype.itemsize
        if end > self._tif.filehandle.size:
            raise ImageError(
                f"{self.path} is truncated: its pixels end at byte {end}, the file at {self._tif.filehandle.size}.",
                hint="Copy or export it again.",
            )
        dtype = page.dtype.newbyteorder(self._tif.byteorder)
        return np.memmap(self.path, dtype, "r", offset, (needed, *page.shaped))

    def close(self) -> None:
        """Close the other files of the image."""
        for handle in self._opened:
            handle.close()
