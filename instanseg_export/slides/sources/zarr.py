"""OME-Zarr images and plain Zarr arrays, in a folder or behind a URL."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ImageError
from ...images.image import Array
from ...images.readers.zarr_description import Described, DescribedLevel, describe
from ...images.readers.zarr_folder import arranged, image_info, require_zarr
from ...images.readers.zarr_metadata import array_metadata, read_node
from ...limits import MAX_ZARR_CHUNKS
from ...untrusted.boundary import parsing
from ..box import Box
from .remote import copy_metadata, remote_store, translated
from .source import SlideInfo, SlideSource, levels_of

if TYPE_CHECKING:
    from zarr.abc.store import Store

    from .zarr_store import CheckedStore

__all__ = ["ZarrSlide", "open_remote_zarr", "open_zarr"]

_TRIES = 4


class ZarrSlide(SlideSource):
    """The levels of a Zarr image.

    Args:
        path: of the image, for messages.
        described: its metadata.
        dimensions: 2 for an image, 3 for a volume.
        store: gives the store with the image's files.
        files: the folder with them; of a remote image a name for it.
        local: whether it is a folder.

    Raises:
        ImageError: the axes are no image's (or no volume's).
    """

    def __init__(
        self,
        path: Path,
        described: Described,
        dimensions: int,
        store: Callable[[], Store],
        files: Path,
        *,
        local: bool,
    ) -> None:
        info = image_info(path, described, dimensions)
        self._axes, self._store, self._files, self._local = described.axes, store, files, local
        self._levels: list[DescribedLevel] = []
        shapes: list[tuple[int, ...]] = []
        for level in described.levels:
            metadata = array_metadata(level.array)
            sizes = dict(zip(described.axes, metadata.shape, strict=False))
            shape = tuple(sizes.get(axis, 1) for axis in ("czyx" if dimensions == 3 else "cyx"))
            fits = len(metadata.shape) == len(described.axes) and metadata.dtype.newbyteorder("=") == info.dtype
            if fits and shape[0] == info.shape[0] and 0 not in shape and (not shapes or shape[-1] < shapes[-1][-1]):
                self._levels.append(level)
                shapes.append(shape)
        self._opened: dict[int, tuple[Any, CheckedStore]] = {}
        self.info = SlideInfo(
            path,
            levels_of(shapes, [self._downsample(level, dimensions) for level in self._levels]),
            info.dtype,
            info.pixel_size,
            info.pixel_size_note,
            info.channel_names,
            info.notes,
            info.slice_distance,
        )

    def _downsample(self, level: DescribedLevel, dimensions: int) -> tuple[float, ...] | None:
        first, scale = self._levels[0].scale, level.scale
        if first is None or scale is None or min(*first, *scale) <= 0:
            return None
        factors = {axis: own / full for axis, own, full in zip(self._axes, scale, first, strict=True)}
        return tuple(factors[axis] for axis in "zyx"[-dimensions:])

    @property
    def found(self) -> tuple[str, ...]:
        """See :class:`.source.SlideSource`."""
        missing = sum(len(store.missing) for _, store in self._opened.values())
        if not missing:
            return ()
        return (
            f"{self.info.path.name} lacks {missing} of the chunks that were read: they were taken to hold its fill "
            "value. Writers leave such chunks out; a copy that was interrupted looks the same.",
        )

    def _read(self, level: int, box: Box, channels: Sequence[int]) -> Array:
        array, _ = self._array(level)
        first = min(channels)
        spans = dict(zip("zyx"[-len(box.low) :], box.slices, strict=True)) | {"c": slice(first, max(channels) + 1)}
        selection = tuple(spans.get(axis, slice(0, 1)) for axis in self._axes)
        chunks = math.prod(
            -(-(part.stop - part.start) // size) + 1 for part, size in zip(selection, array.chunks, strict=True)
        )
        if chunks > MAX_ZARR_CHUNKS:
            raise ImageError(
                f"{self.info.path} is cut into more than {MAX_ZARR_CHUNKS} chunks where it is read.",
                hint="Read a smaller part of it, or save it with larger chunks.",
            )
        planes = arranged(np.asarray(array[selection]), self._axes, volume=len(box.low) == 3)
        return planes[[channel - first for channel in channels]]

    def _array(self, level: int) -> tuple[Any, CheckedStore]:
        if level not in self._opened:
            import zarr

            from .zarr_store import CheckedStore

            described = self._levels[level]
            metadata = array_metadata(described.array)
            store = CheckedStore(self._store(), self._files, metadata, self._local, tries=1 if self._local else _TRIES)
            array = zarr.open_array(store, path=described.place, mode="r")
            if tuple(array.shape) != metadata.shape:
                raise ImageError(f"{self.info.path} changed while it was read.", hint="Try again.")
            self._opened[level] = array, store
        return self._opened[level]


def open_zarr(path: Path, dimensions: int) -> ZarrSlide:
    """Open the image in a Zarr folder.

    Raises:
        ImageError: there is no single image in it, its metadata are damaged, it holds no pixels, or zarr is missing.
    """
    require_zarr(path)
    with parsing(path, "the Zarr", ImageError):
        node = read_node(path)
        if node is None:
            raise ImageError(f"{path} is a folder, but no OME-Zarr image.", hint="Give an image file.")
        described = describe(node, dimensions)
        # A collection of one image is described by that image, in a folder below.
        first = described.levels[0]
        root = first.array.path
        for _ in Path(first.place).parts:
            root = root.parent
        folder = first.array.path
        if not any(entry.name not in ("zarr.json", ".zarray", ".zattrs") for entry in folder.iterdir()):
            raise ImageError(f"{path} holds no pixels: its chunks are not there.", hint="Copy or export it again.")

        def store() -> Store:
            from zarr.storage import LocalStore

            return LocalStore(root, read_only=True)

        return ZarrSlide(path, described, dimensions, store, root, local=True)


def open_remote_zarr(url: str, dimensions: int) -> ZarrSlide:
    """Open the image in a Zarr behind a URL: http, https, and what else fsspec knows (s3, gs).

    The metadata are copied and checked as those of a folder are; chunks are fetched when they are read.

    Raises:
        ImageError: nothing is there, the server does not answer, or as for :func:`open_zarr`.
    """
    name = url.rstrip("/").rpartition("/")[2] or "image"
    require_zarr(Path(name))
    with TemporaryDirectory() as folder, translated(folder, url):
        path = Path(folder) / name
        place = copy_metadata(url, path)
        node = read_node(path / place)
        if node is None:
            raise ImageError(f"{url} is no OME-Zarr image.", hint="Give the URL of the image's folder.")
        with parsing(path, "the Zarr", ImageError):
            described = describe(node, dimensions)
            whole = f"{url.rstrip('/')}/{place}".rstrip("/")
            slide = ZarrSlide(path / place, described, dimensions, lambda: remote_store(whole), Path(name), local=False)
        slide.info = replace(slide.info, path=Path(name))
        return slide
