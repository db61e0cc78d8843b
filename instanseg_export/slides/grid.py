"""How a plane is cut into tiles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..errors import SettingError
from .box import Box, Tile

__all__ = ["Grid", "make_grid"]


@dataclass(frozen=True)
class Grid(Sequence[Tile]):
    """The tiles of a plane, in raster order: those of a volume slice by slice, then row by row.

    All tiles have the same size, as far as the plane goes, which suits models for one size of image. Along an axis they
    begin a core apart; the first and the last answer for the halo at the plane's edge too.

    Attributes:
        shape: of the plane, (D,) H, W.
        tile: size of what the model sees, along each axis.
        halo: pixels on each side of a core that only show what is around it.
    """

    shape: tuple[int, ...]
    tile: tuple[int, ...]
    halo: int

    @property
    def tiles(self) -> Sequence[Tile]:
        """Return the tiles, which are made when they are asked for."""
        return self

    @property
    def counts(self) -> tuple[int, ...]:
        """Return the number of tiles along each axis."""
        return tuple(
            1 if size <= whole else math.ceil((size - 2 * self.halo) / (whole - 2 * self.halo))
            for size, whole in zip(self.shape, self.tile, strict=True)
        )

    def __len__(self) -> int:
        return math.prod(self.counts)

    def __iter__(self) -> Iterator[Tile]:
        return (self._tile(index) for index in range(len(self)))

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        """Return a tile by its index, or a list of those of a slice."""
        if isinstance(index, slice):
            return [self._tile(place) for place in range(len(self))[index]]
        return self._tile(range(len(self))[index])

    def seeing(self, box: Box) -> list[int]:
        """Return the indices of the tiles that see a part of a box, in order."""
        ranges = []
        for axis, (low, high) in enumerate(zip(box.low, box.high, strict=True)):
            spans = [self._span(axis, place)[2:] for place in range(self.counts[axis])]
            ranges.append([place for place, (start, stop) in enumerate(spans) if start < high and low < stop])
        found = [0]
        for count, places in zip(self.counts, ranges, strict=True):
            found = [index * count + place for index in found for place in places]
        return found

    def overlapping(self, box: Box) -> list[Tile]:
        """Return the tiles that see a part of a box, in order."""
        return [self._tile(index) for index in self.seeing(box)] if box.size else []

    def _tile(self, index: int) -> Tile:
        rest, spans = index, []
        for axis in reversed(range(len(self.shape))):
            rest, place = divmod(rest, self.counts[axis])
            spans.append(self._span(axis, place))
        low, high, start, stop = zip(*reversed(spans), strict=True)
        return Tile(index, Box(low, high), Box(start, stop))

    def _span(self, axis: int, place: int) -> tuple[int, int, int, int]:
        """Return where the core, and what is seen, of the n-th tile along an axis begin and end."""
        size, whole, margin = self.shape[axis], self.tile[axis], self.halo
        start = place * (whole - 2 * margin)
        first, last = place == 0, place == self.counts[axis] - 1
        low = 0 if first else start + margin
        high = size if last else start + whole - margin
        return low, high, start, min(size, start + whole)


def make_grid(shape: tuple[int, ...], tile: int | Sequence[int], halo: int) -> Grid:
    """Cut a plane into tiles.

    Args:
        shape: of the plane, (D,) H, W.
        tile: size of what the model sees at once, in pixels, for all axes or each.
        halo: how much of that, on each side, only shows the model what is around.

    Raises:
        SettingError: the halos leave nothing between them, or a number is none.
    """
    tiles = (tile,) * len(shape) if isinstance(tile, int) else tuple(tile)
    if len(tiles) != len(shape):
        raise SettingError(
            f"Tiles of {len(tiles)} axes do not fit a plane of {len(shape)}.",
            hint="Give one number for all axes, or one for each.",
        )
    for size, length in zip(tiles, shape, strict=True):
        if halo < 0 or size < 1 or (size <= 2 * halo and size < length):
            raise SettingError(
                f"Tiles of {size} pixels with a halo of {halo} on each side leave nothing in the middle.",
                hint="Give tiles that are at least three times as wide as the halo, as in --tile 1024 --halo 80.",
            )
    return Grid(tuple(shape), tiles, halo)
