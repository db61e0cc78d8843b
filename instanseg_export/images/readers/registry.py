"""Which formats of images are read, which reader takes a file, and which files of a folder are images."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ...errors import ImageError
from ...registry import Registry
from ...untrusted.boundary import regular_file
from .foreign import refuse_foreign, unknown_kind
from .source import ImageReader

__all__ = ["IMAGE_READERS", "find_reader", "is_image"]

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


def is_image(path: Path) -> bool:
    """Tell whether a file or folder is an image, by its content or, for files, by its name.

    One that is damaged is an image too. Nothing is raised; what cannot be opened counts by its name.
    """
    folder = path.is_dir()
    if not folder and not path.is_file():
        return False
    start = b""
    with suppress(OSError):
        if not folder:
            with path.open("rb") as stream:
                start = stream.read(_START)
    return any(_takes(reader, path, start, folder) for reader in IMAGE_READERS)


def _takes(reader: ImageReader, path: Path, start: bytes, folder: bool) -> bool:
    if not folder and path.suffix.lower() in reader.suffixes:
        return True
    try:
        return reader.recognises(path, start)
    except ImageError:
        return True
