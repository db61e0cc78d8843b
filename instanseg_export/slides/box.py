"""Where things lie: boxes of pixels, and tiles with the margin that the model sees around them."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Box", "Tile"]


@dataclass(frozen=True, order=True)
class Box:
    """A block of pixels or voxels.

    Attributes:
        low: its first pixel, (z,) y, x.
        high: the pixel behind its last one, along each axis.
    """

    low: tuple[int, ...]
    high: tuple[int, ...]

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Box:
        """Return the box of a whole image of that shape, without channels."""
        return cls((0,) * len(shape), shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the size along each axis; nothing is negative."""
        return tuple(max(0, high - low) for low, high in zip(self.low, self.high, strict=True))

    @property
    def size(self) -> int:
        """Return the number of pixels."""
        return math.prod(self.shape)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Return what cuts the box out of an array that starts at zero."""
        return tuple(slice(low, high) for low, high in zip(self.low, self.high, strict=True))

    def within(self, other: Box) -> Box:
        """Return the part that lies in another box, maybe empty."""
        low = tuple(max(one, two) for one, two in zip(self.low, other.low, strict=True))
        high = tuple(max(start, min(one, two)) for start, one, two in zip(low, self.high, other.high, strict=True))
        return Box(low, high)

    def grown(self, margin: int) -> Box:
        """Return the box with a margin on all sides."""
        return Box(tuple(low - margin for low in self.low), tuple(high + margin for high in self.high))

    def shifted(self, by: tuple[int, ...]) -> Box:
        """Return the box moved along each axis."""
        return Box(
            tuple(low + step for low, step in zip(self.low, by, strict=True)),
            tuple(high + step for high, step in zip(self.high, by, strict=True)),
        )


@dataclass(frozen=True)
class Tile:
    """A part of the plane that the model is given at once.

    Attributes:
        index: its place among the tiles, in raster order.
        core: what it answers for; the cores of all tiles are the plane, without overlap.
        seen: the core with the halo around it, as far as the plane goes.
    """

    index: int
    core: Box
    seen: Box
