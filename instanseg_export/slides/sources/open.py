"""Opens a slide, whatever it is, by its content."""

from __future__ import annotations

from pathlib import Path

from ...errors import ImageError
from ...images.readers.registry import find_reader
from ...untrusted.boundary import regular_file
from .address import SlideAddress
from .array import ArraySlide, GivenArray
from .openslide import OpenSlideSlide, openslide_format
from .remote import is_url
from .source import SlideSource
from .tiff import TiffSlide
from .whole import WholeSlide
from .zarr import open_remote_zarr, open_zarr

__all__ = ["open_slide"]

_DICOM = (128, b"DICM")
_BY_OPENSLIDE = ("ventana", "mirax", "hamamatsu", "dicom", "sakura", "zeiss", "synthetic")
"""Formats that OpenSlide knows better than the readers here, or alone."""


def open_slide(address: SlideAddress) -> SlideSource:
    """Open a slide. Use it as a context manager, or close it; do not share it between threads.

    TIFF files and OME-Zarr are read in parts by the package's own readers, scanners' other formats through OpenSlide,
    and other pictures are read whole.

    Raises:
        ImageError: it is missing, damaged, truncated, of an unknown kind, has no single image (or volume), or needs a
            package that is not installed.
    """
    where, dimensions = address.location, address.dimensions
    if isinstance(where, GivenArray):
        return ArraySlide(where, dimensions)
    if is_url(where):
        return open_remote_zarr(str(where), dimensions)
    path = Path(where)
    if path.is_dir():
        return open_zarr(path, dimensions)
    if not regular_file(path, ImageError):
        raise ImageError(f"{path} is empty (0 bytes).", hint="Copy or export it again.")
    with path.open("rb") as stream:
        start = stream.read(512)
    if openslide_format(path) in _BY_OPENSLIDE and dimensions == 2:
        return OpenSlideSlide(path, dimensions)
    if start[_DICOM[0] :].startswith(_DICOM[1]) or _is_mirax(path):
        # Without OpenSlide this says what to install; with it, what is wrong with the file.
        return OpenSlideSlide(path, dimensions)
    reader = find_reader(path)
    if reader.name == "tiff":
        return TiffSlide(path, dimensions, address.series)
    return WholeSlide(path, dimensions)


def _is_mirax(path: Path) -> bool:
    """Tell whether a file, which is a JPEG, stands for a folder of MIRAX's."""
    return path.suffix.lower() == ".mrxs" and (path.with_suffix("") / "Slidedat.ini").is_file()
