"""Reads an image, or a part of it, or what its file says of it, whatever the format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import ImageError
from ..untrusted.boundary import parsing, plain
from .image import Image, ImageInfo, Region, check_memory
from .readers.registry import find_reader
from .readers.source import Source

__all__ = ["probe_image", "read_image"]

_REMEDY = "Copy or export it again; if other programs open it, save it as an uncompressed TIFF."


def probe_image(path: str | Path, dimensions: int = 2) -> ImageInfo:
    """Tell what a file says of its image, without reading its pixels: cheap, and in little memory.

    Args:
        path: of the file or folder, of any kind that :func:`read_image` reads.
        dimensions: 2 for an image, 3 for a volume.

    Raises:
        ImageError: as for :func:`read_image`, as far as it shows before pixels are decoded.
    """
    path = Path(path)
    with parsing(path, "the file", ImageError, hint=_REMEDY), _opened(path, dimensions) as source:
        return source.info


def read_image(
    path: str | Path,
    dimensions: int = 2,
    *,
    channels: Sequence[int] | None = None,
    region: Region | None = None,
) -> Image:
    """Read a TIFF, OME-TIFF, PNG, JPEG, JPEG 2000, BMP, GIF, WebP or PPM file, a Zarr folder, or what is registered.

    What is read is what the file's tags say. Every assumption and every conversion is a sentence in ``notes``.

    Args:
        path: of the file or folder.
        dimensions: 2 for an image, 3 for a volume.
        channels: indices from 0 of those that are wanted, in that order; by default all.
        region: the part that is wanted; by default the whole. Only what it touches is decoded, where the format allows.

    Returns:
        The image as (C, H, W), or the volume as (C, D, H, W), in the file's own type, with its pixel size in
        micrometres if the file states one.

    Raises:
        ImageError: the file is missing, empty, damaged, of another kind, claims more than it holds, has no single image
            (or volume), or no such channel or region.
    """
    path = Path(path)
    with parsing(path, "the file", ImageError, hint=_REMEDY), _opened(path, dimensions) as source:
        info = source.info
        wanted = _channels(info, channels)
        part = _region(info, region)
        depth = info.shape[1] if len(info.shape) == 4 else 1
        check_memory(path, len(wanted) * depth * part.height * part.width * info.dtype.itemsize)
        array = source.read(wanted, part)
        notes = (*info.notes, *source.found)
    return Image(
        np.ascontiguousarray(array),
        info.pixel_size,
        tuple(info.channel_names[index] for index in wanted),
        path,
        info.slice_distance,
        notes,
        info.pixel_size_note,
    )


@contextmanager
def _opened(path: Path, dimensions: int) -> Iterator[Source]:
    with find_reader(path).open(path, dimensions) as source:
        yield _checked(source)


def _checked(source: Source) -> Source:
    info = source.info
    if 0 in info.shape:
        raise ImageError(f"{info.path} has no pixels: its shape is {info.shape}.", hint="Export it again.")
    if info.dtype.kind not in "buif":
        raise ImageError(
            f"{info.path} holds values of type {info.dtype}.", hint="Convert it to 8-bit, 16-bit or 32-bit float."
        )
    return source


def _channels(info: ImageInfo, channels: Sequence[int] | None) -> list[int]:
    count = info.shape[0]
    if channels is None:
        return list(range(count))
    for index in channels:
        if not 0 <= index < count:
            raise ImageError(
                f"{info.path} has no channel {index + 1}: it has {count} ({plain(', '.join(info.channel_names))}).",
                hint="Choose among those that it has.",
            )
    if not channels:
        raise ImageError(f"No channel of {info.path} is asked for.", hint="Name at least one channel.")
    return [int(index) for index in channels]


def _region(info: ImageInfo, region: Region | None) -> Region:
    height, width = info.shape[-2:]
    if region is None:
        return Region(0, 0, height, width)
    y, x, tall, wide = (int(value) for value in region)
    if y < 0 or x < 0 or tall < 1 or wide < 1 or y + tall > height or x + wide > width:
        raise ImageError(
            f"The region from row {y} and column {x}, {tall} x {wide} pixels, is not inside of {info.path}, "
            f"which has {height} x {width}.",
            hint="Give a region as row, column, height and width, in pixels of the image.",
        )
    return Region(y, x, tall, wide)
