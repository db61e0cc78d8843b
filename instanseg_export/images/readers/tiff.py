"""TIFF as microscopes, OME, ImageJ and slide scanners write it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ...limits import MAX_TIFF_PAGES
from ...untrusted.boundary import parsing, plain, regular_file
from ..image import Array, ImageInfo, Region, default_names
from ..lengths import Stated
from ..notes import about_pixel_size
from . import ome_xml
from .axes import layout_of
from .orientation import Orientation
from .tiff_colour import colours_of
from .tiff_metadata import names_of, pixel_size_of, slice_distance_of
from .tiff_page import check_page, read_page
from .tiff_series import choose_series
from .tiff_structure import count_pages

__all__ = ["READER", "TiffReader"]

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class TiffReader:
    """Reads TIFF files. See :class:`.source.ImageReader`."""

    name = "tiff"
    describes = "TIFF and OME-TIFF"
    suffixes = (".tif", ".tiff")

    def recognises(self, path: Path, start: bytes) -> bool:
        """See :class:`.source.ImageReader`."""
        return start.startswith(_MAGIC)

    @contextmanager
    def open(self, path: Path, dimensions: int) -> Iterator[TiffSource]:
        """Open the one image (or volume) of a TIFF file.

        Args:
            path: of the file.
            dimensions: 2 for an image, 3 for a volume.

        Raises:
            ImageError: it holds a volume where an image is wanted, or an image where a volume is, a time series,
                several images of which none is the largest, axes without a meaning, colours that are not converted
                here, or claims more than it holds.
        """
        import tifffile

        pages = count_pages(path)
        with _listening() as heard, parsing(path, "the TIFF", ImageError), tifffile.TiffFile(path) as tif:
            source = TiffSource(path, tif, pages, dimensions, heard)
            try:
                yield source
            finally:
                source.close()


READER = TiffReader()


class TiffSource:
    """The image of a TIFF file, opened. See :class:`.source.Source`."""

    def __init__(self, path: Path, tif: Any, pages: int, dimensions: int, heard: list[str]) -> None:
        self._path, self._tif = path, tif
        self._opened: list[Any] = []
        self.found: list[str] = []
        self._lacking = self._expected = 0
        notes: list[str] = []
        root = _described(path, tif, pages, notes)
        _check_siblings(path, tif)
        self._series, place, more = choose_series(path, tif)
        if self._series.transform is not None:
            raise ImageError(
                f"{path} has its own scale of intensities ({plain(self._series.kind, 40)}).",
                hint="Save it as a plain TIFF, for instance with Fiji.",
            )
        notes += more
        notes += _check_imagej(path, tif, self._series)
        keyframe = self._series.keyframe
        self._page = keyframe
        self._check(keyframe)
        self._colours = colours_of(path, keyframe)
        self._layout = layout_of(path, self._series, keyframe, dimensions)
        if self._layout.pages > 1:
            self._colours = self._colours.without_palette()
        self._orientation = Orientation.of(keyframe.tags.valueof(274, default=1), path)
        notes += [*self._layout.notes, *self._colours.notes, *self._orientation.notes]
        self._virtual = self._contiguous()
        described = None if root is None else ome_xml.find_pixels(root, place, *keyframe.shaped[2:4])
        said = [message for message in dict.fromkeys(heard) if message][:3]
        notes += [f"What tifffile says of {path.name}: {message}." for message in said]
        self.info = self._describe(described, dimensions, notes)

    def _describe(self, described: Any, dimensions: int, notes: list[str]) -> ImageInfo:
        layout, colours = self._layout, self._colours
        channels = layout.channels if layout.channels > 1 or layout.last else colours.channels
        height, width = self._orientation.shape(layout.height, layout.width)
        depth = (layout.depth,) if dimensions == 3 else ()
        said: Stated = pixel_size_of(self._tif, self._page) if described is None else ome_xml.pixel_size(described)
        if described is not None and said.understood and said.size is None:
            # OME-XML without a size: the file's other places may have one.
            said = pixel_size_of(self._tif, self._page)
        size = None if said.size is None else self._orientation.shape(*said.size)
        note, remarks = about_pixel_size(self._path, said)
        names: Sequence[str] | None
        if described is None:
            names = names_of(self._tif, self._channel_pages(), channels)
            distance = slice_distance_of(self._tif)
        else:
            names = [plain(name, 120) for name in ome_xml.channel_names(described)]
            distance = ome_xml.slice_distance(described)
        if names is None or len(names) != channels or not all(names):
            names = default_names(channels, colour=colours.colour)
        return ImageInfo(
            (channels, *depth, height, width),
            colours.dtype,
            size,
            note,
            tuple(names),
            self._path,
            (*notes, *remarks),
            distance if dimensions == 3 else None,
        )

    def _channel_pages(self) -> list[Any]:
        layout = self._layout
        if self._virtual is not None or layout.last or layout.depth > 1 or layout.channels > 1000:
            return []
        return [self._load(layout.page(channel, 0)) for channel in range(layout.channels)]

    def read(self, channels: Sequence[int], region: Region) -> Array:
        """See :meth:`.source.Source.read`."""
        stored = self._orientation.stored(region, self._layout.height, self._layout.width)
        array = self._read_last(channels, stored) if self._layout.last else self._read_planes(channels, stored)
        if self._lacking:
            share = 100 * self._lacking / max(self._expected, 1)
            self.found.append(
                f"{self._path.name} lacks {self._lacking} of {self._expected} strips or tiles ({share:.2g} %): "
                "its writer left them out, and they were taken to be 0."
            )
        array = self._orientation.apply(array)
        return array if len(self.info.shape) == 4 else array[:, 0]

    def _read_planes(self, channels: Sequence[int], region: Region) -> Array:
        layout, colours = self._layout, self._colours
        out = np.zeros((len(channels), layout.depth, region.height, region.width), colours.dtype)
        if layout.channels > 1:
            for place, channel in enumerate(channels):
                for z in range(layout.pages_deep):
                    out[place, z : z + layout.page_depth] = self._plane(layout.page(channel, z), region)[0]
        else:
            for z in range(layout.pages_deep):
                plane = self._plane(layout.page(0, z), region)
                out[:, z : z + layout.page_depth] = plane[list(channels)]
        return out

    def _read_last(self, channels: Sequence[int], region: Region) -> Array:
        """Read pages that are rows of the image, with a column for each channel."""
        out = np.zeros((len(channels), 1, region.height, region.width), self._colours.dtype)
        rows = Region(region.x, 0, region.width, self._layout.channels)
        for place in range(region.height):
            out[:, 0, place] = self._plane(region.y + place, rows)[0, 0].T[list(channels)]
        return out

    def _plane(self, index: int, region: Region) -> Array:
        """Return a page's channels, (C, D, H, W)."""
        if self._virtual is not None:
            part = self._virtual[index, :, :, region.y : region.y + region.height, region.x : region.x + region.width]
            samples = part[..., 0] if part.shape[0] > 1 else np.moveaxis(part[0], -1, 0)
            return self._colours.convert(np.array(samples, self._page.dtype))
        page = self._load(index)
        if (page.shaped, page.dtype) != (self._page.shaped, self._page.dtype):
            raise ImageError(
                f"{self._path} has pages of different kinds: page {index + 1} of the image is {page.dtype} "
                f"{page.shape}, the first {self._page.dtype} {self._page.shape}.",
                hint="Save the image that you mean as its own file.",
            )
        colours = self._colours if page is self._page else colours_of(self._path, page)
        if self._layout.pages > 1:
            colours = colours.without_palette()
        if (colours.channels, colours.dtype) != (self._colours.channels, self._colours.dtype):
            raise ImageError(
                f"{self._path} has pages of different kinds of colours.",
                hint="Save the image that you mean as its own file.",
            )
        lacking, expected = self._check(page)
        self._lacking, self._expected = self._lacking + lacking, self._expected + expected
        return colours.convert(read_page(self._path, page, region))

    def _load(self, index: int) -> Any:
        """Return a page of the image with its own tags, not with those of the first page."""
        page = self._series[index]
        if page is None:
            raise ImageError(
                f"{self._path} lacks one of its {len(self._series)} pages.", hint="Copy or export it again."
            )
        handle = page.parent.filehandle
        if handle.closed:
            handle.open()
            self._opened.append(handle)
        if page is self._page or page is page.keyframe:
            return page
        if not page.is_virtual:
            return page.aspage()
        whole = copy(page.keyframe)  # known from an index: it has no tags of its own
        whole.dataoffsets, whole.databytecounts = page.dataoffsets, page.databytecounts
        return whole

    def _check(self, page: Any) -> tuple[int, int]:
        handle = page.parent.filehandle
        own = self._path if page.parent is self._tif else self._path.parent / plain(handle.name)
        return check_page(own, page, handle.size)

    def _contiguous(self) -> Array | None:
        """Return the planes of a file that describes one page and holds more behind it, (N, S, D, H, W, samples)."""
        needed, series = self._layout.pages, self._series
        if len(series) == needed:
            return None
        offset, page = series.dataoffset, self._page
        if len(series) != 1 or offset is None:
            raise ImageError(
                f"{self._path} has {len(series)} pages for {needed} planes that it says it has.",
                hint="Copy or export it again.",
            )
        end = offset + needed * math.prod(page.shaped) * page.dtype.itemsize
        if end > self._tif.filehandle.size:
            raise ImageError(
                f"{self._path} is truncated: its pixels end at byte {end}, the file at {self._tif.filehandle.size}.",
                hint="Copy or export it again.",
            )
        dtype = page.dtype.newbyteorder(self._tif.byteorder)
        return np.memmap(self._path, dtype, "r", offset, (needed, *page.shaped))

    def close(self) -> None:
        """Close the other files of the image."""
        for handle in self._opened:
            handle.close()


def _described(path: Path, tif: Any, pages: int, notes: list[str]) -> Any:
    """Return the root of a file's OME-XML, measured, or None."""
    if not tif.is_ome or not isinstance(tif.ome_metadata, str):
        return None
    root = ome_xml.parse_xml(tif.ome_metadata, path)
    notes += ome_xml.check_ome(root, path, pages)
    other = next(ome_xml.elements(root, "BinaryOnly"), None)
    if other is not None:
        notes.append(
            f"{path.name} is described in {plain(other.get('MetadataFile'), 120)}, which was not read: "
            "what its pages are was taken from the file alone."
        )
    return root


def _check_imagej(path: Path, tif: Any, series: Any) -> list[str]:
    """Compare a stack with what can be read of it: tifffile goes on with the first plane.

    Returns:
        Sentences about counts that are wrong, and do no harm.

    Raises:
        ImageError: there are more planes than can be read.
    """
    metadata = tif.imagej_metadata if tif.is_imagej else None
    if not metadata:
        return []
    counts = [metadata.get(key, 1) for key in ("channels", "slices", "frames")]
    planes = math.prod(count for count in counts if isinstance(count, int) and count > 0)
    # Planes may lie one behind the other, with a page for the first alone.
    held = math.prod(size for axis, size in zip(series.axes, series.shape, strict=True) if axis not in "YXS")
    held = max(held, len(series))
    images = metadata.get("images", 1)
    if not isinstance(images, int) or images <= max(held, planes):
        images = planes
    elif images * series.keyframe.nbytes > tif.filehandle.size - series.keyframe.dataoffsets[0]:
        # Programs forget to change this count; what the file cannot hold was never there.
        return [f"{path.name} has {images} images by its ImageJ metadata, and room for fewer: {held} were read."]
    if images > held:
        raise ImageError(
            f"{path} has {images} planes by its ImageJ metadata, of which {held} can be read.",
            hint="Copy it again, or open it in Fiji and save it as a TIFF.",
        )
    return []


def _check_siblings(path: Path, tif: Any) -> None:
    """Micro-Manager's sets of files are found by their names: see what those are before they are opened."""
    metadata = tif.micromanager_metadata
    if not isinstance(metadata, Mapping):
        return
    for other in path.parent.glob("*_MMStack*.tif"):
        regular_file(other, ImageError)
        count_pages(other)
    index = path.parent / "NDTiff.index"
    if tif.is_ndtiff and index.exists():
        from tifffile.tifffile import read_ndtiff_index

        regular_file(index, ImageError)
        for _, name, *_ in read_ndtiff_index(str(index)):
            if Path(name).name != name or "\\" in name or not (path.parent / name).is_file():
                raise ImageError(
                    f"{index} names {plain(name, 120)}, which is no file of its folder.",
                    hint="Copy the whole folder again.",
                )
            count_pages(path.parent / name)
    summary, where = metadata.get("Summary"), metadata.get("IndexMap")
    if tif.is_mmstack and isinstance(summary, Mapping) and where is not None:
        most = [int(value) + 1 for value in np.max(where[:, :4], axis=0)]
        counts = [int(summary.get(key, 1)) for key in ("Channels", "Slices", "Frames", "Positions")]
        if math.prod(most) > MAX_TIFF_PAGES or math.prod(counts) > MAX_TIFF_PAGES or min(*most, *counts) < 0:
            raise ImageError(
                f"{path} claims {math.prod(counts)} planes in its Micro-Manager metadata.", hint="Export it again."
            )


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Keep what tifffile has to say of a file, in place of printing it."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR and len(heard) < 100:
                heard.append(plain(record.getMessage(), 200).rstrip("."))

    logger, ear = logging.getLogger("tifffile"), Ear()
    logger.addHandler(ear)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield heard
    finally:
        logger.propagate = propagate
        logger.removeHandler(ear)
