"""Label maps of any size as OME-Zarr 0.5 (https://ngff.openmicroscopy.org/0.5), one shard at a time.

The folder is what the specification calls a labels group: a label image for each structure, with a pyramid of its own.
So napari shows a layer of labels for each; a channel axis would give it one layer in which a slider hides all
structures but one. Ids are uint32. A level takes every second pixel of the one below, because labels have no mean.

A shard is written once, whole, by one writer: two that write into one shard lose pixels without an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import OutputError
from ...progress import Progress, Steps
from ..image import Array

__all__ = ["LabelGrid", "check_ome_zarr", "label_groups", "write_label_pyramid"]

Slices = tuple[slice, ...]

_CHUNK = {2: (512, 512), 3: (16, 256, 256)}
"""Pixels that are read together, a mebibyte or a few: what a viewer wants of one."""

_SHARD = {2: (4096, 4096), 3: (16, 1024, 1024)}
"""Pixels of a file, 64 MiB before compression: a slide of 100,000 x 100,000 pixels has some 600 files."""

_SMALLEST = 512
"""The pyramid ends when no axis of the plane y, x is longer."""

_ZSTD_LEVEL = 3
_LARGEST = 2**32 - 1


@dataclass(frozen=True)
class LabelGrid:
    """Where the pixels of a label map lie; axes are (z,) y, x.

    Attributes:
        shape: of one structure's map.
        scale: distance of neighbouring pixels, in ``unit``.
        translation: of the first pixel's centre, in ``unit``, from that of the first pixel of the whole image.
        unit: "micrometer"; None for pixels of the image.
    """

    shape: tuple[int, ...]
    scale: tuple[float, ...]
    translation: tuple[float, ...]
    unit: str | None


def check_ome_zarr() -> None:
    """Tell early whether OME-Zarr can be written.

    Raises:
        OutputError: zarr is not installed.
    """
    try:
        import zarr  # noqa: F401
    except ImportError as error:
        raise OutputError(
            "OME-Zarr is written by zarr, which is not installed.",
            hint="Install it with pip install 'instanseg-export[scale]'.",
        ) from error


def write_label_pyramid(
    folder: Path,
    window: Callable[[Slices], Array],
    grid: LabelGrid,
    names: Sequence[str],
    *,
    progress: Progress | None = None,
) -> None:
    """Write the label maps of all structures; memory holds two shards of each structure, whatever the size.

    Args:
        folder: of the caller's own, empty or not there.
        window: returns a part of the label maps, (T, *part), with integers from 0 to 2^32 - 1. It is asked for each
            part once, in raster order.
        grid: where the pixels lie.
        names: of the T structures.
        progress: told how many shards are written.

    Raises:
        OutputError: zarr is not installed, or an id is too large.
    """
    check_ome_zarr()
    groups = label_groups(names)
    levels = list(_levels(grid))
    steps = Steps(progress, sum(len(list(_shards(level.shape))) for level in levels))
    arrays = _create(folder, groups, levels, grid.unit)
    for part in _shards(grid.shape):
        block = _checked(window(part))
        for target, labels in zip(arrays[0], block, strict=True):
            _put(target, part, labels)
        steps.end("write labels")
    for place, level in enumerate(levels[1:]):
        for part in _shards(level.shape):
            for source, target in zip(arrays[place], arrays[place + 1], strict=True):
                _put(target, part, _thinned(source, part, level.step))
            steps.end("write labels")


def label_groups(names: Sequence[str]) -> list[str]:
    """Return names of the folders of structures, which may be called anything: letters, digits, and all different."""
    groups: list[str] = []
    for name in names:
        group = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_") or "labels"
        groups.append(group if group not in groups else f"{group}_{len(groups) + 1}")
    return groups


@dataclass(frozen=True)
class _Level:
    shape: tuple[int, ...]
    step: tuple[int, ...]
    scale: tuple[float, ...]
    translation: tuple[float, ...]


def _levels(grid: LabelGrid) -> Iterator[_Level]:
    """Yield the levels, each with its step from the one below.

    An axis along which pixels already lie farther apart than along the closest one, as slices mostly do, is left as it
    is until the others have come up to it. The sampled pixels stay where they are, so that the translation does too.
    """
    level = _Level(grid.shape, (1,) * len(grid.shape), grid.scale, grid.translation)
    yield level
    while max(level.shape[-2:]) > _SMALLEST:
        closest = min(level.scale[-2:])
        step = tuple(
            2 if size > 1 and (axis >= len(level.shape) - 2 or scale < 2 * closest) else 1
            for axis, (size, scale) in enumerate(zip(level.shape, level.scale, strict=True))
        )
        level = _Level(
            tuple(math.ceil(size / by) for size, by in zip(level.shape, step, strict=True)),
            step,
            tuple(scale * by for scale, by in zip(level.scale, step, strict=True)),
            grid.translation,
        )
        yield level


def _layout(shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the sizes of chunks and shards of a level; small images are one of each."""
    chunk = tuple(min(most, size) for most, size in zip(_CHUNK[len(shape)], shape, strict=True))
    shard = tuple(
        min(most // part * part, math.ceil(size / part) * part)
        for most, part, size in zip(_SHARD[len(shape)], chunk, shape, strict=True)
    )
    return chunk, shard


def _shards(shape: tuple[int, ...]) -> Iterator[Slices]:
    """Yield the parts of a level that are one shard each, in raster order."""
    _, shard = _layout(shape)
    axes = [range(0, size, step) for size, step in zip(shape, shard, strict=True)]
    for start in product(*axes):
        yield tuple(slice(low, min(low + by, size)) for low, by, size in zip(start, shard, shape, strict=True))


def _create(folder: Path, groups: Sequence[str], levels: Sequence[_Level], unit: str | None) -> list[list[Any]]:
    """Make all groups and arrays, and return the arrays, level by level."""
    import zarr
    from zarr.codecs import ZstdCodec

    axes = ["z", "y", "x"][-len(levels[0].shape) :]
    zarr.create_group(folder, zarr_format=3, attributes={"ome": {"version": "0.5", "labels": list(groups)}})
    for group in groups:
        zarr.create_group(folder / group, zarr_format=3, attributes={"ome": _described(group, axes, levels, unit)})
    arrays = []
    for place, level in enumerate(levels):
        chunk, shard = _layout(level.shape)
        arrays.append(
            [
                zarr.create_array(
                    folder / group / str(place),
                    shape=level.shape,
                    chunks=chunk,
                    shards=shard,
                    dtype="uint32",
                    compressors=ZstdCodec(level=_ZSTD_LEVEL),  # without a shuffle of bytes, which makes labels larger
                    fill_value=0,
                    dimension_names=axes,
                    zarr_format=3,
                    config={"write_empty_chunks": False},
                )
                for group in groups
            ]
        )
    return arrays


def _described(name: str, axes: Sequence[str], levels: Sequence[_Level], unit: str | None) -> dict[str, Any]:
    """Return what the specification wants to be said of a label image."""
    datasets = []
    for place, level in enumerate(levels):
        moves: list[dict[str, Any]] = [{"type": "scale", "scale": list(level.scale)}]
        if any(level.translation):
            moves.append({"type": "translation", "translation": list(level.translation)})
        datasets.append({"path": str(place), "coordinateTransformations": moves})
    described = [{"name": axis, "type": "space"} | ({} if unit is None else {"unit": unit}) for axis in axes]
    return {
        "version": "0.5",
        "image-label": {"version": "0.5", "colors": [], "properties": []},
        "multiscales": [{"name": name, "axes": described, "datasets": datasets, "type": "every second pixel"}],
    }


def _checked(block: Array) -> Array:
    if block.dtype != np.uint32 and block.size and not 0 <= block.min() <= block.max() <= _LARGEST:
        raise OutputError(
            f"Labels from {block.min()} to {block.max()} do not fit into OME-Zarr of type uint32.",
            hint="Write them as TIFF.",
        )
    return block


def _put(target: Any, part: Slices, labels: Array) -> None:
    if labels.any():  # what is not written is background
        target[part] = labels.astype(np.uint32, copy=False)


def _thinned(source: Any, part: Slices, step: tuple[int, ...]) -> Array:
    """Return every second pixel of a level, read shard by shard."""
    thinned = np.zeros(tuple(one.stop - one.start for one in part), dtype=np.uint32)
    _, shard = _layout(source.shape)
    axes = [
        range(one.start * by, min(one.stop * by, size), edge)
        for one, by, size, edge in zip(part, step, source.shape, shard, strict=True)
    ]
    for start in product(*axes):
        wide = tuple(
            slice(low, min(low + edge, one.stop * by, size))
            for low, edge, one, by, size in zip(start, shard, part, step, source.shape, strict=True)
        )
        place = tuple(
            slice((one.start + by - 1) // by - whole.start, (one.stop + by - 1) // by - whole.start)
            for one, by, whole in zip(wide, step, part, strict=True)
        )
        thinned[place] = source[wide][tuple(slice(None, None, by) for by in step)]
    return thinned
