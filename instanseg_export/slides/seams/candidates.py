"""What a tile's label maps hold: the table of its objects, with all that a seam needs to know of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import PackageError
from ...images.objects import Measured, measure
from ..box import Tile
from .objects import Integers, TileObjects, inner_box, least_and_most
from .runs import Runs, find_runs

__all__ = ["find_candidates"]


def find_candidates(
    tile: Tile,
    labels: npt.NDArray[Any],
    pixels: npt.NDArray[Any] | None = None,
    rows: Mapping[str, npt.NDArray[Any]] | None = None,
    *,
    plane: tuple[int, ...],
    halo: int,
    paired: bool = False,
) -> TileObjects:
    """Measure the objects of a tile, and note those that other tiles may see.

    Args:
        tile: the tile.
        labels: (T, *seen), what the model gave for it, whole numbers; 0 is background.
        pixels: (C, *seen), raw intensities, any type; None to measure none.
        rows: further results of the model by name, (R, ...) each; row r belongs to label r + 1, in whatever structure.
        plane: shape of the plane.
        halo: of the grid, in pixels.
        paired: whether one label means one object in all structures.

    Raises:
        PackageError: the label maps have another size than the tile, or there are fewer rows than labels.
    """
    if labels.shape[1:] != tile.seen.shape:
        raise PackageError(
            f"The model gave label maps of {labels.shape[1:]} pixels for a tile of {tile.seen.shape}.",
            hint="Export the model again with a current version; instanseg-export validate checks it.",
        )
    further = {name: np.asarray(values) for name, values in (rows or {}).items()}
    largest = int(labels.max(initial=0))
    for name, values in further.items():
        if values.shape[0] < largest:
            raise PackageError(
                f"The model gave {values.shape[0]:,} rows of {name} for {largest:,} objects.",
                hint="Export the model again with a current version; instanseg-export validate checks it.",
            )
    whole = labels.astype(np.int32, copy=False)
    image = np.empty((0, *tile.seen.shape), dtype=np.float32) if pixels is None else pixels
    found = [measure(each, image) for each in whole]
    table = _paired_table(found) if paired else _table_of_each(found)
    return _finish(tile, whole, table, further, plane=plane, halo=halo, paired=paired)


Table = dict[str, npt.NDArray[Any]]


def _table_of_each(found: list[Measured]) -> Table:
    """Put the structures' objects below each other."""
    return {
        "label": np.concatenate([one.labels for one in found]),
        "structure": np.repeat(np.arange(len(found)), [one.labels.size for one in found]),
        "sizes": np.concatenate([one.sizes for one in found])[:, None],
        "centroids": np.concatenate([one.centroids for one in found])[:, None],
        "low": np.concatenate([one.low for one in found])[:, None],
        "high": np.concatenate([one.high for one in found])[:, None],
        "means": np.concatenate([one.means for one in found])[:, None],
    }


def _paired_table(found: list[Measured]) -> Table:
    """Put the structures' objects beside each other."""
    labels = np.unique(np.concatenate([one.labels for one in found]))
    count, parts, axes, channels = labels.size, len(found), found[0].low.shape[1], found[0].means.shape[1]
    table: Table = {
        "label": labels,
        "structure": np.zeros(count, dtype=np.int64),
        "sizes": np.zeros((count, parts), dtype=np.int64),
        "centroids": np.full((count, parts, axes), np.nan),
        "low": np.zeros((count, parts, axes), dtype=np.int64),
        "high": np.zeros((count, parts, axes), dtype=np.int64),
        "means": np.full((count, parts, channels), np.nan),
    }
    for part, one in enumerate(found):
        places = np.searchsorted(labels, one.labels)
        for name in ("sizes", "centroids", "low", "high", "means"):
            table[name][places, part] = getattr(one, name)
    return table


def _layers(labels: npt.NDArray[np.int32]) -> list[npt.NDArray[np.int32]]:
    """Spread paired structures over maps in which no object has a pixel twice.

    The last structure is the outer one, as cells are around nuclei. Of the others only those pixels are left where a
    pixel is another object's, which models that nest one structure in the other do not have.
    """
    first = labels[-1].copy()
    for inner in labels[-2::-1]:
        np.copyto(first, inner, where=first == 0)
    layers = [first]
    for inner in labels[:-1]:
        rest = inner
        for layer in layers:
            rest = np.where(rest == layer, np.int32(0), rest)
        if rest.any():
            layers.append(rest)
    return layers


def _finish(
    tile: Tile,
    labels: npt.NDArray[np.int32],
    table: Table,
    further: Mapping[str, npt.NDArray[Any]],
    *,
    plane: tuple[int, ...],
    halo: int,
    paired: bool,
) -> TileObjects:
    count = table["label"].size
    seen = tile.seen
    origin = np.array(seen.low)
    layers = _layers(labels) if paired else list(labels)
    runs = []
    for place, layer in enumerate(layers):
        mine = np.arange(count) if paired else np.flatnonzero(table["structure"] == place)
        row_of = np.zeros(int(table["label"].max(initial=0)) + 1, dtype=np.int64)
        row_of[table["label"][mine]] = mine
        runs.append(find_runs(layer, row_of, seen.low, plane))
    low, high = table["low"] + origin, table["high"] + origin
    least, most = least_and_most(low, high, table["sizes"] > 0)
    cut = np.zeros(count, dtype=bool)
    for axis, length in enumerate(plane):
        if seen.low[axis] > 0:
            cut |= least[:, axis] == seen.low[axis]
        if seen.high[axis] < length:
            cut |= most[:, axis] == seen.high[axis]
    single = not paired or labels.shape[0] == 1
    centroids = table["centroids"] + origin
    centroid = centroids[:, 0] if single else _centroids(runs, count, plane)
    return TileObjects(
        tile=tile,
        plane=plane,
        halo=halo,
        structures=labels.shape[0],
        paired=paired,
        label=table["label"],
        structure=table["structure"],
        area=np.sum([one.areas(count) for one in runs], axis=0, dtype=np.int64),
        first=_first(runs, count),
        centroid=centroid,
        depth=_depth(centroid, tile, plane),
        cut=cut,
        sizes=table["sizes"],
        centroids=centroids,
        low=low,
        high=high,
        means=table["means"],
        runs=_shared_with_others(runs, count, tile, plane, halo),
        rows={name: values[table["label"] - 1] for name, values in further.items()},
    )


def _first(runs: list[Runs], count: int) -> Integers:
    first = np.full(count, np.iinfo(np.int64).max)
    for one in runs:
        found = np.full(count, np.iinfo(np.int64).max)
        found[one.row[::-1]] = one.start[::-1]  # of several the last one stays, which is the first here
        first = np.minimum(first, found)
    return first


def _centroids(runs: list[Runs], count: int, plane: tuple[int, ...]) -> npt.NDArray[np.float64]:
    sums, sizes = np.zeros((count, len(plane))), np.zeros(count)
    for one in runs:
        length = one.stop - one.start
        sizes += np.bincount(one.row, weights=length, minlength=count)
        middle = (length - 1) / 2
        for axis, places in enumerate(np.unravel_index(one.start, plane)):
            along = places + 0.5 + (middle if axis == len(plane) - 1 else 0.0)
            sums[:, axis] += np.bincount(one.row, weights=along * length, minlength=count)
    return sums / np.maximum(sizes, 1)[:, None]


def _depth(centroid: npt.NDArray[np.float64], tile: Tile, plane: tuple[int, ...]) -> npt.NDArray[np.float64]:
    depth = np.full(centroid.shape[0], np.inf)
    for axis, length in enumerate(plane):
        if tile.core.low[axis] > 0:
            depth = np.minimum(depth, centroid[:, axis] - tile.core.low[axis])
        if tile.core.high[axis] < length:
            depth = np.minimum(depth, tile.core.high[axis] - centroid[:, axis])
    return depth


def _shared_with_others(
    runs: list[Runs], count: int, tile: Tile, plane: tuple[int, ...], halo: int
) -> tuple[Runs, ...]:
    """Leave out the objects that lie where this tile alone sees."""
    inner = inner_box(tile, plane, halo)
    shared = np.zeros(count, dtype=bool)
    for one in runs:
        shared[one.row[one.outside(inner, plane)]] = True
    return tuple(one.of(shared[one.row]) for one in runs)
