"""Zarr folders: OME-Zarr and plain arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ...untrusted.boundary import parsing, plain
from ..image import Array, ImageInfo, Region, default_names
from ..notes import about_pixel_size
from .zarr_chunks import check_chunks
from .zarr_description import Described, describe
from .zarr_metadata import array_metadata, read_node

__all__ = ["READER", "ZarrReader", "arranged", "image_info", "require_zarr"]


class ZarrReader:
    """Reads Zarr folders. See :class:`.source.ImageReader`."""

    name = "zarr"
    describes = "OME-Zarr folders and Zarr arrays"
    suffixes: tuple[str, ...] = ()

    def recognises(self, path: Path, start: bytes) -> bool:
        """See :class:`.source.ImageReader`."""
        return path.is_dir() and read_node(path) is not None

    @contextmanager
    def open(self, path: Path, dimensions: int) -> Iterator[ZarrSource]:
        """Open the finest level of a multiscale image, or a plain array.

        Raises:
            ImageError: the folder holds several images, a volume or a time series where an image is wanted, claims
                more than it holds, or zarr is not installed.
        """
        node = read_node(path)
        assert node is not None, "it was recognised"
        require_zarr(path)
        with parsing(path, "the Zarr", ImageError):
            yield ZarrSource(path, describe(node, dimensions), dimensions)


READER = ZarrReader()


class ZarrSource:
    """An array of a Zarr, opened. See :class:`.source.Source`."""

    def __init__(self, path: Path, described: Described, dimensions: int) -> None:
        self._path, self._described = path, described
        self._metadata = array_metadata(described.array)
        self.found: list[str] = []
        self.info = image_info(path, described, dimensions)

    def read(self, channels: Sequence[int], region: Region) -> Array:
        """See :meth:`.source.Source.read`."""
        import zarr

        axes, shape = self._described.axes, self._metadata.shape
        spans = {
            "c": (min(channels), max(channels) + 1),
            "z": (0, self.info.shape[1] if len(self.info.shape) == 4 else 1),
            "y": (region.y, region.y + region.height),
            "x": (region.x, region.x + region.width),
        }
        selection = [spans.get(name, (0, 1)) for name in axes]
        touched = check_chunks(self._described.array.path, self._metadata, selection)
        if touched.missing:
            if touched.missing == touched.files and math.prod(shape) == math.prod(b - a for a, b in selection):
                raise ImageError(
                    f"{self._path} holds no pixels: none of its {touched.files} chunks is there.",
                    hint="Copy or export it again.",
                )
            share = 100 * touched.missing / touched.files
            self.found.append(
                f"{self._path.name} lacks {touched.missing} of {touched.files} chunks ({share:.2g} %): they were taken "
                "to hold its fill value. Writers leave such chunks out; a copy that was interrupted looks the same."
            )
        array: Any = zarr.open_array(self._described.array.path, mode="r")
        if tuple(array.shape) != shape:
            raise ImageError(f"{self._path} changed while it was read.", hint="Try again.")
        read = np.asarray(array[tuple(slice(*span) for span in selection)])
        planes = arranged(read, axes, volume=len(self.info.shape) == 4)
        return planes[[channel - spans["c"][0] for channel in channels]].astype(self.info.dtype, copy=False)


def image_info(path: Path, described: Described, dimensions: int) -> ImageInfo:
    """Return what a Zarr says of its image.

    Args:
        path: of the folder.
        described: its metadata.
        dimensions: 2 for an image, 3 for a volume.

    Raises:
        ImageError: its axes are no image's, or no volume's.
    """
    metadata = array_metadata(described.array)
    shape, axes = metadata.shape, described.axes
    if len(axes) != len(shape):
        raise ImageError(
            f"{path} names {len(axes)} axes ({plain(', '.join(axes), 80)}) of an array with {len(shape)}.",
            hint="Export it again.",
        )
    sizes = dict(zip(axes, shape, strict=True))
    wanted = "czyx" if dimensions == 3 else "cyx"
    for name, size in sizes.items():
        if name not in wanted and size > 1:
            raise _other_axis(path, name, size)
    if "y" not in sizes or "x" not in sizes or len(sizes) != len(axes):
        raise ImageError(
            f"{path} has axes {plain(', '.join(axes), 80)}.", hint="An image has the axes y and x, and may have c."
        )
    if dimensions == 3 and "z" not in sizes:
        raise ImageError(f"{path} is a flat image, and the model takes volumes.", hint="Give an image with a z axis.")
    channels = sizes.get("c", 1)
    note, remarks = about_pixel_size(path, described.said)
    names = described.names
    return ImageInfo(
        (channels, *((sizes["z"],) if dimensions == 3 else ()), sizes["y"], sizes["x"]),
        metadata.dtype.newbyteorder("="),
        described.said.size,
        note,
        tuple(names) if len(names) == channels and all(names) else default_names(min(channels, 10**6), colour=False),
        path,
        (*described.notes, *remarks),
        described.slice_distance if dimensions == 3 else None,
    )


def arranged(read: Array, axes: Sequence[str], *, volume: bool) -> Array:
    """Bring what was read of an array into the order (C, [D,] H, W).

    Args:
        read: with one axis for each of ``axes``; those that are neither c, z, y nor x have one step.
        axes: letters.
        volume: whether there is a D.
    """
    kept = [name for name in axes if name in ("c", "z", "y", "x")]
    read = read.reshape([size for size, name in zip(read.shape, axes, strict=True) if name in kept])
    order = [name for name in ("c", "z", "y", "x") if name in kept]
    read = read.transpose([kept.index(name) for name in order])
    if "c" not in order:
        read = read[None]
    return read if volume or "z" not in order else read[:, 0]


def require_zarr(path: Path) -> None:
    """See whether zarr is there.

    Raises:
        ImageError: it is not.
    """
    try:
        import zarr  # noqa: F401
    except ImportError as error:
        raise ImageError(
            f"{path} is an OME-Zarr image, and the package that reads those is not installed.",
            hint="pip install 'instanseg-export[scale]'",
        ) from error


def _other_axis(path: Path, name: str, size: int) -> ImageError:
    what, hint = {
        "t": ("a time series", "Save one time point as its own image."),
        "z": ("a volume", "Save one slice or a projection as its own image."),
    }.get(name, ("no image", "An image has the axes y and x, and may have c."))
    return ImageError(f"{path} is {what}: its {plain(name, 40)} axis has {size} steps.", hint=hint)
