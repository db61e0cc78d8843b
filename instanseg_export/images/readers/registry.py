"""Which formats of images are read, and which reader takes a file."""

from __future__ import annotations

from pathlib import Path

from ...errors import ImageError
from ...registry import Registry
from ...untrusted.boundary import regular_file
from .foreign import refuse_foreign, unknown_kind
from .source import ImageReader

__all__ = ["IMAGE_READERS", "find_reader"]

IMAGE_READERS: Registry[ImageReader] = Registry(
    "image reader",
    "instanseg_export.image_readers",
    {
        "zarr": "instanseg_export.images.readers.zarr_folder:READER",
        "tiff": "instanseg_export.images.readers.tiff:READER",
        "raster": "instanseg_export.images.readers.raster:READER",
    },
)

_START = 512


def find_reader(path: Path) -> ImageReader:
    """Return the first reader that recognises a file or folder.

    Raises:
        ImageError: it is missing, empty, no regular file, or of no format that is read here.
    """
    start = b""
    if not path.is_dir():
        if not regular_file(path, ImageError):
            raise ImageError(f"{path} is empty (0 bytes).", hint="Copy or export it again.")
        with path.open("rb") as stream:
            start = stream.read(_START)
    for reader in IMAGE_READERS:
        if reader.recognises(path, start):
            return reader
    if path.is_dir():
        raise ImageError(f"{path} is a folder, but no OME-Zarr image.", hint="Give an image file.")
    refuse_foreign(path, start)
    raise unknown_kind(path)
