"""From the seams' final objects to what the files of objects are written from."""

from __future__ import annotations

from collections.abc import Iterator

from .box import Box
from .columns import ObjectColumns
from .grid import Grid
from .seams.decision import Decision
from .seams.final import Part as FinalPart
from .seams.final import Results, final_objects
from .sinks.record import ObjectRecord, Part

__all__ = ["records_of"]


def records_of(decision: Decision, grid: Grid, results: Results, columns: ObjectColumns) -> Iterator[ObjectRecord]:
    """Yield each object of the result once.

    Args:
        decision: what stays.
        grid: the tiles.
        results: of the tiles.
        columns: what the model says of objects.
    """
    for found in final_objects(decision, grid, results, in_order=len(grid.shape) == 2):
        number, further = columns.of(found.rows)
        parts = [None if part is None else _part(part) for part in found.parts]
        if not decision.paired:  # one part, at the place of its structure
            parts = [parts[0] if place == found.structure else None for place in range(decision.structures)]
        yield ObjectRecord(found.id, tuple(parts), number, further)


def _part(part: FinalPart) -> Part:
    high = tuple(low + size for low, size in zip(part.low, part.mask.shape, strict=True))
    return Part(
        box=Box(part.low, high),
        size=part.size,
        centroid=tuple(part.centroid.tolist()),
        means=tuple(part.means.tolist()),
        mask=part.mask,
    )
