"""TIFF as microscopes, OME, ImageJ and slide scanners write it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from .tiff_metadata import names_of, pixel_size_of, slice_distance_of
from .tiff_pixels import TiffPixels
from .tiff_segments import SegmentCache
from .tiff_series import choose_series, reduced_series
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
    def open(
        self, path: Path, dimensions: int, cache: SegmentCache | None = None, series: int | None = None
    ) -> Iterator[TiffSource]:
        """Open the one image (or volume) of a TIFF file.

        Args:
            path: of the file.
            dimensions: 2 for an image, 3 for a volume.
            cache: keeps decoded strips and tiles, for those who read an image part by part.
            series: place of the image among those of the file, from 0; by default the largest.

        Raises:
            ImageError: it holds a volume where an image is wanted, or an image where a volume is, a time series,
                several images of which none is the largest, axes without a meaning, colours that are not converted
                here, or claims more than it holds.
        """
        import tifffile

        pages = count_pages(path)
        with _listening() as heard, parsing(path, "the TIFF", ImageError), tifffile.TiffFile(path) as tif:
            source = TiffSource(path, tif, pages, dimensions, heard, cache, series)
            try:
                yield source
            finally:
                source.close()


READER = TiffReader()


class TiffSource:
    """The image of a TIFF file, opened. See :class:`.source.Source`.

    Attributes:
        pixels: of its full resolution.
    """

    def __init__(
        self,
        path: Path,
        tif: Any,
        pages: int,
        dimensions: int,
        heard: list[str],
        cache: SegmentCache | None = None,
        series: int | None = None,
    ) -> None:
        self._path, self._tif, self._cache, self._heard = path, tif, cache, heard
        self.found: list[str] = []
        notes: list[str] = []
        root = _described(path, tif, pages, notes)
        _check_siblings(path, tif)
        self._series, place, more = choose_series(path, tif, series)
        if self._series.transform is not None:
            raise ImageError(
                f"{path} has its own scale of intensities ({plain(self._series.kind, 40)}).",
                hint="Save it as a plain TIFF, for instance with Fiji.",
            )
        notes += more
        notes += _check_imagej(path, tif, self._series)
        self.pixels = TiffPixels(path, tif, self._series, dimensions, cache)
        self._levels: list[TiffPixels] = []
        notes += [*self.pixels.layout.notes, *self.pixels.colours.notes, *self.pixels.orientation.notes]
        described = None if root is None else ome_xml.find_pixels(root, place, *self._series.keyframe.shaped[2:4])
        said = [message for message in dict.fromkeys(heard) if message][:3]
        notes += [f"What tifffile says of {path.name}: {message}." for message in said]
        self.info = self._describe(described, dimensions, notes)

    def _describe(self, described: Any, dimensions: int, notes: list[str]) -> ImageInfo:
        pixels = self.pixels
        channels = pixels.shape[0]
        said: Stated = pixel_size_of(self._tif, pixels.keyframe) if described is None else ome_xml.pixel_size(described)
        if described is not None and said.understood and said.size is None:
            # OME-XML without a size: the file's other places may have one.
            said = pixel_size_of(self._tif, pixels.keyframe)
        size = None if said.size is None else pixels.orientation.shape(*said.size)
        note, remarks = about_pixel_size(self._path, said)
        names: Sequence[str] | None
        if described is None:
            names = names_of(self._tif, pixels.channel_pages(), channels)
            distance = slice_distance_of(self._tif)
        else:
            names = [plain(name, 120) for name in ome_xml.channel_names(described)]
            distance = ome_xml.slice_distance(described)
        if names is None or len(names) != channels or not all(names):
            names = default_names(channels, colour=pixels.colours.colour)
        return ImageInfo(
            pixels.shape,
            pixels.dtype,
            size,
            note,
            tuple(names),
            self._path,
            (*notes, *remarks),
            distance if dimensions == 3 else None,
        )

    def levels(self) -> list[TiffPixels]:
        """Return the resolutions of the image, the full one first, and each smaller than the one before.

        Raises:
            ImageError: one of them claims more than the file holds.
        """
        if not self._levels:
            dimensions = len(self.info.shape) - 1
            self._levels = [self.pixels]
            reduced = list(reduced_series(self._tif, self._series))
            self._check_levels(len(reduced))
            for series in reduced:
                level = TiffPixels(self._path, self._tif, series, dimensions, self._cache)
                same = level.shape[0] == self.info.shape[0] and level.dtype == self.info.dtype
                if same and level.shape[-1] < self._levels[-1].shape[-1]:
                    self._levels.append(level)
        return self._levels

    def _check_levels(self, found: int) -> None:
        """Refuse a pyramid whose end is cut off: tifffile goes on without the levels that it cannot find."""
        places, size = self.pixels.keyframe.subifds or (), self._tif.filehandle.size
        if any(place >= size for place in places) or (found < len(places) and self._heard):
            raise ImageError(
                f"{self._path} is truncated or damaged: its pyramid has {len(places)} smaller levels, and "
                f"{found} of them can be read.",
                hint="Copy or export it again.",
            )

    def read(self, channels: Sequence[int], region: Region) -> Array:
        """See :meth:`.source.Source.read`."""
        array = self.pixels.read(channels, region)
        if lacking := self.pixels.lacking:
            share = 100 * lacking / max(self.pixels.expected, 1)
            self.found.append(
                f"{self._path.name} lacks {lacking} of {self.pixels.expected} strips or tiles ({share:.2g} %): "
                "its writer left them out, and they were taken to be 0."
            )
        return array

    def close(self) -> None:
        """Close the other files of the image."""
        for level in (self.pixels, *self._levels):
            level.close()


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
    _ears.append(ear)
    logger.propagate = False
    try:
        yield heard
    finally:
        logger.removeHandler(ear)
        _ears.remove(ear)
        logger.propagate = not _ears


_ears: list[logging.Handler] = []
"""Of the files that are open, which need not be closed in the order in which they were opened."""
