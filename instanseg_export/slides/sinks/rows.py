"""What is said of objects in every file: which parts they have, their outlines in the slide, and their measurements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...images.objects import Piece
from ...images.writers import outlines
from .record import Frame, ObjectRecord, Part

if TYPE_CHECKING:
    from shapely import MultiPolygon, Polygon

__all__ = ["DECIMALS", "Row", "area_of_pixel", "rows_of"]

DECIMALS = 2
"""Of coordinates in pixels of level 0 that are not whole: more than any outline is worth."""


@dataclass(frozen=True)
class Row:
    """An object in one structure, with its outline.

    Attributes:
        record: the object.
        structure: place of the structure.
        part: of the object, in it.
        shape: its outline in pixels of level 0, x and y; None in volumes.
    """

    record: ObjectRecord
    structure: int
    part: Part
    shape: Polygon | MultiPolygon | None


def rows_of(records: Sequence[ObjectRecord], frame: Frame) -> list[Row]:
    """Return a row for each part that has pixels, record by record, and trace the outlines of all at once."""
    parts = [
        (record, structure, part)
        for record in records
        for structure, part in enumerate(record.parts)
        if part is not None and part.size
    ]
    shapes: Iterable[Any] = [None] * len(parts) if frame.volume else _outlines(parts, frame)
    return [Row(*part, shape) for part, shape in zip(parts, shapes, strict=True)]


def _outlines(parts: Sequence[tuple[ObjectRecord, int, Part]], frame: Frame) -> npt.NDArray[Any]:
    import shapely

    found = np.empty(len(parts), dtype=object)
    found[:] = list(outlines(_piece(record, part) for record, _, part in parts))
    factor, offset = np.array(frame.factor[::-1]), np.array(frame.offset[::-1])

    def place(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray((points * factor + offset).round(DECIMALS), dtype=np.float64)

    moved: npt.NDArray[Any] = shapely.transform(found, place)
    return moved


def _piece(record: ObjectRecord, part: Part) -> Piece:
    if part.mask is None:
        raise ValueError(f"Object {record.label} has no mask to outline.")
    return Piece(record.label, part.box.low[0], part.box.low[1], part.mask)


def area_of_pixel(frame: Frame) -> tuple[float, float | None]:
    """Return the area of a pixel of the plane, or the volume of a voxel, in level 0's and in micrometres."""
    return math.prod(frame.factor), None if frame.spacing is None else math.prod(frame.spacing)
