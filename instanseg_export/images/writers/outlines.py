"""Outlines of objects along the edges of their pixels, so that a polygon's area is the number of its pixels.

The corners at which an outline turns are those points of the pixel grid around which one or three of the four pixels
belong to the object, and those around which two belong to it that lie across from each other: there it turns twice. In
a row of the grid, the turns in their order are in pairs the ends of the outline's horizontal edges, and in a column
those of its vertical edges. So the rings are found by going from each turn to its partner in the row, to that one's
partner in the column, and so on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..objects import Piece

if TYPE_CHECKING:
    from shapely import MultiPolygon, Polygon

__all__ = ["outline", "outlines"]

_PIXELS = 1 << 18
"""Of objects that are traced together: enough to make calls of libraries cheap, few enough to stay in the cache."""

_TL, _TR, _BL, _BR = 1, 2, 4, 8
_TURNS = np.array([bin(code).count("1") in (1, 3) or code in (_TL | _BR, _TR | _BL) for code in range(16)])
"""Whether an outline turns at a corner, by which of the four pixels around it belong to the object."""


def outline(piece: Piece, offset: tuple[int, int] = (0, 0)) -> Polygon | MultiPolygon:
    """Return an object's outline, with holes, and as several polygons where it lies in pieces.

    Pieces that share no more than a pixel's corner are polygons of their own: one polygon would cross itself there.

    Args:
        piece: the object; it has at least one pixel.
        offset: y and x of the label map's first pixel in the coordinates wanted.

    Returns:
        Valid, in pixels, corners at whole numbers, outer rings counter-clockwise where y points up.
    """
    return _trace([piece], offset)[0]  # type: ignore[no-any-return]


def outlines(which: Iterable[Piece], offset: tuple[int, int] = (0, 0)) -> Iterator[Polygon | MultiPolygon]:
    """Yield the outline of each object, as :func:`outline` does, but several times faster where there are many."""
    batch: list[Piece] = []
    height, width = 0, 0
    for piece in which:
        tallest, broad = max(height, piece.mask.shape[0]), width + piece.mask.shape[1] + 1
        if batch and tallest * broad > _PIXELS:
            yield from _trace(batch, offset)
            batch, tallest, broad = [], piece.mask.shape[0], piece.mask.shape[1] + 1
        batch.append(piece)
        height, width = tallest, broad
    if batch:
        yield from _trace(batch, offset)


def _trace(batch: Sequence[Piece], offset: tuple[int, int]) -> npt.NDArray[Any]:
    """Return the outlines of some objects, which are laid side by side for that."""
    import shapely
    from scipy import ndimage

    starts = np.cumsum([1, *(piece.mask.shape[1] + 1 for piece in batch)])
    canvas = np.zeros((max(piece.mask.shape[0] for piece in batch) + 2, starts[-1]), dtype=bool)
    for piece, start in zip(batch, starts[:-1], strict=True):
        canvas[1 : piece.mask.shape[0] + 1, start : start + piece.mask.shape[1]] = piece.mask
    parts: npt.NDArray[Any] = ndimage.label(canvas)[0]  # that share edges
    y, x, inner, partner = _turns(canvas, parts)
    order, lengths, holes = _rings(inner, partner)

    first = order[np.cumsum(lengths) - lengths]
    first[holes] = order[(np.cumsum(lengths) - 1)[holes]]  # a hole is written the other way round
    # The pixel at the lower right of an outer ring's first corner is the object's; that of a hole is not, but the one
    # above is.
    part = parts[y[first] + ~holes, x[first] + 1]
    owner = np.searchsorted(starts, x[first] + 1, side="right") - 1
    rank = np.lexsort((holes, part, owner))

    shift = np.array([[piece.left - start, piece.top - 1] for piece, start in zip(batch, starts[:-1], strict=True)])
    points = np.column_stack((x[order] + 1, y[order] + 1)) + np.repeat(shift[owner], lengths, axis=0)
    points += np.array([offset[1], offset[0]])
    rings: Any = shapely.linearrings(points.astype(np.float64), indices=np.repeat(np.arange(lengths.size), lengths))
    new = np.flatnonzero(np.diff(part[rank], prepend=-1))
    polygon = np.cumsum(np.diff(part[rank], prepend=-1) != 0) - 1
    polygons: Any = shapely.polygons(rings[rank], indices=polygon)
    count = np.bincount(owner[rank][new], minlength=len(batch))
    ends = np.cumsum(count)
    found = polygons[ends - 1].copy()
    for place in np.flatnonzero(count > 1):
        found[place] = shapely.multipolygons(polygons[ends[place] - count[place] : ends[place]])
    return found  # type: ignore[no-any-return]


def _turns(
    canvas: npt.NDArray[np.bool_], parts: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Return the turns in raster order; the horizontal partner of turn k is k ^ 1.

    Returns:
        Row and column of the pixel to the upper left of each; whether the pixel to its lower right is the object's; and
        its vertical partner.
    """
    pixels = canvas.view(np.uint8)
    code = pixels[:-1, :-1] + _TR * pixels[:-1, 1:] + _BL * pixels[1:, :-1] + _BR * pixels[1:, 1:]
    y, x = np.nonzero(_TURNS[code])
    kind = code[y, x]
    falling = kind == _TL | _BR
    twice = falling | (kind == _TR | _BL)
    # The two pixels of one part enclose what lies between them, which is a ring of its own: that keeps each valid.
    joined = np.where(falling, parts[y, x] == parts[y + 1, x + 1], parts[y, x + 1] == parts[y + 1, x])
    left_goes_down = (falling == joined)[twice]
    place = np.repeat(np.arange(y.size), 1 + twice)
    second = np.zeros(place.size, dtype=bool)
    second[1:] = place[1:] == place[:-1]
    down = second.copy()
    ends = np.flatnonzero(second)
    down[ends], down[ends - 1] = ~left_goes_down, left_goes_down
    y, x = y[place], x[place]
    column = np.argsort((x * canvas.shape[0] + y) * 2 + down, kind="stable")
    partner = np.empty_like(column)
    partner[column[0::2]], partner[column[1::2]] = column[1::2], column[0::2]
    return y, x, kind[place] & _BR > 0, partner


def _rings(
    inner: npt.NDArray[np.bool_], partner: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return the turns ring by ring, the length of each ring, and whether it is a hole."""
    down, outer = partner.tolist(), inner.tolist()
    seen = bytearray(len(down))
    order: list[int] = []
    lengths: list[int] = []
    holes: list[bool] = []
    for start in range(0, len(down), 2):  # a ring's first turn is the left end of an edge
        if seen[start]:
            continue
        ring: list[int] = []
        turn = start
        while True:
            ring += (turn, turn ^ 1)
            seen[turn & -2] = 1
            turn = down[turn ^ 1]
            if turn == start:
                break
        hole = not outer[start]
        order += ring[::-1] if hole else ring
        lengths.append(len(ring))
        holes.append(hole)
    return np.array(order, dtype=np.intp), np.array(lengths, dtype=np.intp), np.array(holes, dtype=bool)
