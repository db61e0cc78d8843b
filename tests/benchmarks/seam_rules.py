"""Rules for seams, ours and others', on the same tiles: each gives the final label map of a plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from instanseg_export.evaluation.metrics import overlaps
from instanseg_export.images.objects import measure
from instanseg_export.slides.box import Box, Tile
from instanseg_export.slides.grid import Grid
from instanseg_export.slides.seams.candidates import find_candidates
from instanseg_export.slides.seams.choice import RULE, Rule
from instanseg_export.slides.seams.decide import decide
from instanseg_export.slides.seams.paint import paint

__all__ = ["RULES", "SeamRule", "own_and_match"]

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
        pairs = overlaps(labels, here)
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
