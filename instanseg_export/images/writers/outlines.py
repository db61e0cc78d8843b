"""Outlines of objects along the edges of their pixels, so that a polygon's area is the number of its pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..objects import Piece

if TYPE_CHECKING:
    from shapely import MultiPolygon, Polygon

__all__ = ["outline"]


def outline(piece: Piece, offset: tuple[int, int] = (0, 0)) -> Polygon | MultiPolygon:
    """Return an object's outline, with holes, and as several polygons where it lies in pieces.

    Pieces that share no more than a pixel's corner are polygons of their own: one polygon would cross itself there.

    Args:
        piece: the object; it has at least one pixel.
        offset: y and x of the label map's first pixel in the coordinates wanted.

    Returns:
        Valid, in pixels, corners at whole numbers, outer rings counter-clockwise where y points up.
    """
    import shapely

    steps = np.diff(np.pad(piece.mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]
    y, x = rows + (piece.top + offset[0]), piece.left + offset[1]
    runs = shapely.box(starts + x, y, ends + x, y + 1)
    joined: Any = shapely.orient_polygons(shapely.simplify(shapely.union_all(runs), 0))
    return joined  # type: ignore[no-any-return]
