"""Rules for seams, ours and others', on the same tiles: each gives the final label map of a plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from instanseg_export.evaluation.metrics import Overlaps
from instanseg_export.images.objects import measure
from instanseg_export.slides.box import Box, Tile
from instanseg_export.slides.candidates import find_candidates
from instanseg_export.slides.choice import RULE, Rule
from instanseg_export.slides.grid import Grid
from instanseg_export.slides.paint import paint
from instanseg_export.slides.seams import decide

__all__ = ["RULES", "own_and_match", "shared_pixels"]

Labels = npt.NDArray[np.int32]
Seen = Mapping[int, Labels]
SeamRule = Callable[[Grid, Seen, Sequence[Tile]], npt.NDArray[Any]]


def crop(grid: Grid, seen: Seen, order: Sequence[Tile]) -> Labels:
    """Keep of each tile what lies in its core."""
    final, last = np.zeros(grid.shape, dtype=np.int32), 0
    for tile in order:
        part = seen[tile.index][_local(tile.core, tile)]
        final[tile.core.slices] = np.where(part > 0, part + last, 0)
        last = int(max(last, final.max()))
    return final


def iou(grid: Grid, seen: Seen, order: Sequence[Tile]) -> Labels:
    """Add tile to tile, without what edges cut; an object whose IoU with an earlier one is above 0.5 is that one."""
    final, last = np.zeros(grid.shape, dtype=np.int32), 0
    for tile in order:
        labels = _without_cut(seen[tile.index], tile, grid)
        here = final[tile.seen.slices]
        pairs = shared_pixels(labels, here)
        doubles = pairs.first_ids[pairs.first[pairs.iou > 0.5]]
        labels = np.where(np.isin(labels, doubles), 0, labels)
        new = (labels > 0) & (here == 0)
        here[new] = labels[new] + last
        last = int(max(last, here.max()))
    return final


def centroid_owns(grid: Grid, seen: Seen, order: Sequence[Tile]) -> Labels:
    """Keep of each tile the objects whose centroid lies in its core."""
    final, last = np.zeros(grid.shape, dtype=np.int32), 0
    for tile in order:
        labels = seen[tile.index]
        found = measure(labels, np.empty((0, *labels.shape)))
        places = found.centroids + tile.seen.low
        owned = found.labels[((places >= tile.core.low) & (places < tile.core.high)).all(axis=1)]
        labels = np.where(np.isin(labels, owned), labels, 0)
        here = final[tile.seen.slices]
        new = (labels > 0) & (here == 0)
        here[new] = labels[new] + last
        last = int(max(last, here.max()))
    return final


def own_and_match(rule: Rule = RULE) -> SeamRule:
    """Return our rule with these numbers."""

    def apply(grid: Grid, seen: Seen, order: Sequence[Tile]) -> npt.NDArray[Any]:
        found = (find_candidates(tile, seen[tile.index][None], plane=grid.shape, halo=grid.halo) for tile in order)
        decision = decide(found, grid, rule)
        final: npt.NDArray[Any] = paint(Box.of(grid.shape), decision, grid, lambda tile: seen[tile.index][None])[0]
        return final

    return apply


RULES: dict[str, SeamRule] = {
    "crop": crop,
    "IoU, as in the paper": iou,
    "centroid owns": centroid_owns,
    "own and match": own_and_match(),
}


def shared_pixels(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Overlaps:
    """Return the same as :func:`.metrics.overlaps`, much faster: whole rows of equal pixels are counted at once."""
    columns = int(second.max(initial=0)) + 1
    keys = first.ravel().astype(np.int64) * columns + second.ravel()
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    pairs, places = np.unique(keys[starts], return_inverse=True)
    lengths = np.diff(starts, append=keys.size)
    counts = np.bincount(places.ravel(), weights=lengths, minlength=pairs.size).astype(np.int64)
    one, two = pairs // columns, pairs % columns
    first_ids, first_places = np.unique(one, return_inverse=True)
    second_ids, second_places = np.unique(two, return_inverse=True)
    first_areas = np.bincount(first_places, weights=counts).astype(np.int64)
    second_areas = np.bincount(second_places, weights=counts).astype(np.int64)
    both = (one > 0) & (two > 0)
    union = first_areas[first_places] + second_areas[second_places] - counts
    ours, theirs = int((first_ids == 0).any()), int((second_ids == 0).any())
    return Overlaps(
        first_ids=first_ids[ours:],
        second_ids=second_ids[theirs:],
        first_areas=first_areas[ours:],
        second_areas=second_areas[theirs:],
        first=first_places[both] - ours,
        second=second_places[both] - theirs,
        shared=counts[both],
        iou=counts[both] / union[both],
    )


def _local(box: Box, tile: Tile) -> tuple[slice, ...]:
    return box.shifted(tuple(-start for start in tile.seen.low)).slices


def _without_cut(labels: Labels, tile: Tile, grid: Grid) -> Labels:
    edges = [labels[:0].ravel()]
    for axis, length in enumerate(grid.shape):
        if tile.seen.low[axis] > 0:
            edges.append(np.take(labels, 0, axis=axis).ravel())
        if tile.seen.high[axis] < length:
            edges.append(np.take(labels, -1, axis=axis).ravel())
    gone = np.unique(np.concatenate(edges))
    return np.asarray(np.where(np.isin(labels, gone), 0, labels), dtype=np.int32)
