"""The choice among views of the same objects: one total order, from which everything follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..grid import Grid
from .decision import Decision
from .numbering import Chosen
from .objects import Integers
from .views import Links, Mask, Views

__all__ = ["RULE", "Rule", "choose"]


@dataclass(frozen=True)
class Rule:
    """The numbers of the rule; ``tests/benchmarks/seams.py`` measures others.

    Attributes:
        same: share of the smaller object's pixels above which two tiles' objects are one.
        hidden: share of an object's pixels that those before it may cover together, less than 1.
        outside: in halos, how far outside of the core a tile's word counts.
    """

    same: float = 0.3
    hidden: float = 0.5
    outside: float = 0.5


RULE = Rule()


def choose(views: Views, links: Links, grid: Grid, missing: Sequence[int], rule: Rule = RULE) -> Decision:
    """Keep one view of each object and number the objects.

    Args:
        views: of all tiles that have a result, in order of tiles.
        links: which of them overlap.
        grid: the tiles.
        missing: the tiles without a result.
        rule: its numbers.
    """
    outside = _outside(views, grid, missing, rule)
    place = _places(views, ~outside)
    links = links.of(~outside[links.one] & ~outside[links.two])
    kept = ~outside
    kept[_beaten(views, links, place, rule)] = False
    links = links.of(kept[links.one] & kept[links.two])
    rows = np.flatnonzero(kept)
    group = _groups(links, rows, len(views))
    rank = np.zeros(rows.size, dtype=np.int64)
    rank[np.argsort(place[rows], kind="stable")] = np.arange(1, rows.size + 1)
    contested = np.zeros(len(views), dtype=bool)
    rest = links.of(~links.parts)
    contested[np.where(place[rest.one] > place[rest.two], rest.one, rest.two)] = True
    chosen = Chosen(views, rows, group, rank, contested[rows])
    numbers = chosen.numbers()
    stitched = np.bincount(group, minlength=1)[group] > 1
    return Decision(
        plane=grid.shape,
        structures=views.structures,
        paired=views.paired,
        tile=views.tile[rows],
        structure=views.structure[rows],
        label=views.label[rows],
        rank=rank,
        id=numbers,
        cut=views.cut[rows],
        contested=contested[rows],
        stitched=stitched,
        missing=tuple(missing),
        counts=chosen.counts(grid, missing, outside=int(outside.sum())),
    )


def _outside(views: Views, grid: Grid, missing: Sequence[int], rule: Rule) -> Mask:
    """Tell which objects another tile knows better, whatever it found there."""
    widths = (views.high - views.low).max(axis=1, initial=0)
    outside: Mask = (views.depth < -grid.halo * rule.outside) & (widths <= grid.halo)
    for index in missing:
        core = grid.tiles[index].core
        rows = np.flatnonzero(outside)
        held = np.ones(rows.size, dtype=bool)
        for axis, (low, high) in enumerate(zip(core.low, core.high, strict=True)):
            along = views.centroid[rows, axis]
            held &= (along >= low) & (along < high)
        outside[rows[held]] = False
    return outside


def _places(views: Views, eligible: Mask) -> Integers:
    """Return the place of each object in the total order; those that are not eligible stand behind all others."""
    order = np.lexsort((views.row, views.tile, -views.depth, views.cut, ~eligible))
    place = np.empty(len(views), dtype=np.int64)
    place[order] = np.arange(len(views))
    return place


def _beaten(views: Views, links: Links, place: Integers, rule: Rule) -> Integers:
    """Return the objects that go because of others that stay."""
    links = links.of(~links.parts)
    swapped = place[links.one] > place[links.two]
    before, after = np.where(swapped, links.two, links.one), np.where(swapped, links.one, links.two)
    order = np.lexsort((place[before], place[after]))
    before, after, shared = before[order], after[order], links.shared[order]
    same = shared > rule.same * links.smaller[order]
    heads = np.flatnonzero(np.diff(after, prepend=-1) != 0)
    bounds = [*heads.tolist(), after.size]
    earlier, strong, pixels = before.tolist(), same.tolist(), shared.tolist()
    gone: set[int] = set()
    for head, end, mine in zip(bounds[:-1], bounds[1:], after[heads].tolist(), strict=True):
        covered = 0
        for link in range(head, end):
            if earlier[link] not in gone:
                covered += pixels[link]
                if strong[link]:
                    gone.add(mine)
                    break
        else:
            if covered > rule.hidden * views.area[mine]:
                gone.add(mine)
    return np.array(sorted(gone), dtype=np.int64)


def _groups(links: Links, rows: Integers, count: int) -> Integers:
    """Return the object of each kept row: parts of one have the same, from 0 on."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place = np.zeros(count, dtype=np.int64)
    place[rows] = np.arange(rows.size)
    parts = links.of(links.parts)
    pairs = (np.ones(len(parts.one), dtype=bool), (place[parts.one], place[parts.two]))
    if not rows.size:
        return np.zeros(0, dtype=np.int64)
    _, group = connected_components(coo_array(pairs, shape=(rows.size, rows.size)), directed=False)
    return np.asarray(group, dtype=np.int64)
