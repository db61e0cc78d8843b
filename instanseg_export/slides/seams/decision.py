"""Which object of which tile stays, under which id, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .objects import Integers

__all__ = ["Decision", "SeamCounts", "seam_notes"]


@dataclass(frozen=True)
class SeamCounts:
    """What became of the tiles' objects. A structure's objects count each where structures are not paired.

    Attributes:
        objects: that the result has.
        seen: that the tiles have, all together.
        duplicates: that were left out for another tile's view of the same object.
        outside: that were left out because their centroid lies further than half the halo in the core of another tile,
            which has seen their place better.
        wide: objects of the result near a seam that are wider than the halo along an axis: no tile may have seen them
            whole with enough around them. Those that are ``cut`` are among them, those that are ``missing`` are not.
        cut: objects of the result that no tile saw whole, other than those at tiles that are missing.
        missing: objects of the result that a tile without a result cuts.
        stitched: objects of the result that were put together from parts in several tiles; they are among ``cut``, or
            ``missing``.
        contested: objects of the result that lost pixels to an object that another tile saw.
        widest: pixels of the longest side of a box around one of the objects that are ``wide`` or ``cut``.
    """

    objects: int
    seen: int
    duplicates: int
    outside: int
    wide: int
    cut: int
    missing: int
    stitched: int
    contested: int
    widest: int


@dataclass(frozen=True, eq=False)
class Decision:
    """The kept objects of all tiles, ascending by tile, structure and label.

    An object that several tiles show in parts has a row for each part, all under one id.

    Attributes:
        plane: shape of the plane.
        structures: how many label maps there are.
        paired: whether one id means one object in all of them.
        tile, structure, label: (M,), where each is found; ``structure`` is 0 where structures are paired.
        rank: (M,), from 1 on, no two alike. Where kept objects overlap, a pixel goes to the lower one.
        id: (M,), the final id. Ids are consecutive from 1 on, in raster order of the objects' first pixels; where
            structures are not paired, in each structure by itself.
        cut: (M,), whether no tile saw the object whole.
        contested: (M,), whether some of its pixels go to others.
        stitched: (M,), whether it is one of several parts of an object.
        missing: the tiles that should have a result, and have none.
        counts: for the report.
    """

    plane: tuple[int, ...]
    structures: int
    paired: bool
    tile: Integers
    structure: Integers
    label: Integers
    rank: Integers
    id: Integers
    cut: npt.NDArray[np.bool_]
    contested: npt.NDArray[np.bool_]
    stitched: npt.NDArray[np.bool_]
    missing: tuple[int, ...]
    counts: SeamCounts

    def __len__(self) -> int:
        return int(self.tile.size)

    def rows_of(self, tile: int) -> slice:
        """Return the rows of one tile."""
        low, high = np.searchsorted(self.tile, [tile, tile + 1])
        return slice(int(low), int(high))

    def count(self, structure: int = 0) -> int:
        """Return how many objects the result has, of one structure where structures are not paired."""
        return int(self.id[self.structure == (0 if self.paired else structure)].max(initial=0))

    def of_tiles(self, tiles: Sequence[int]) -> Decision:
        """Return what is to be known to paint a window that those tiles see, which is less to send to a worker."""
        wanted = np.isin(self.tile, np.asarray(tiles, dtype=np.int64))
        names = ("tile", "structure", "label", "rank", "id", "cut", "contested", "stitched")
        columns = {name: getattr(self, name)[wanted] for name in names}
        return Decision(
            plane=self.plane,
            structures=self.structures,
            paired=self.paired,
            missing=self.missing,
            counts=self.counts,
            **columns,
        )


def _objects(count: int, one: str, many: str) -> str:
    return f"{count:,} object {one}" if count == 1 else f"{count:,} objects {many}"


def seam_notes(decision: Decision, halo: int) -> list[str]:
    """Return sentences on what a user should know of the seams, with what to do."""
    counts, notes = decision.counts, []
    enough = -(-counts.widest // 16) * 16
    if counts.cut:
        notes.append(
            f"{_objects(counts.cut, 'was', 'were')} seen whole by no tile; parts that agree were put together. The "
            f"widest has {counts.widest:,} pixels, the halo {halo:,}. To have each seen whole, run again with "
            f"--halo {enough}."
        )
    elif counts.wide:
        notes.append(
            f"{_objects(counts.wide, 'near a seam is', 'near seams are')} wider than the halo of {halo:,} pixels (up "
            f"to {counts.widest:,}): seen whole, but with little around. To be sure of their shapes, run again with "
            f"--halo {enough}."
        )
    if decision.missing:
        missing = f"{len(decision.missing):,} tile{'' if len(decision.missing) == 1 else 's'}"
        notes.append(
            f"{missing} failed, and what only they see is not in the result; {_objects(counts.missing, 'is', 'are')} "
            "cut there. Run again with --resume: only those tiles are segmented."
        )
    if counts.contested:
        notes.append(
            f"{_objects(counts.contested, 'overlaps', 'overlap')} an object that another tile saw, and lost the common "
            "pixels to it."
        )
    return notes
