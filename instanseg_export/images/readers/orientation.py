"""How an image lies in its file: the orientation of TIFF and Exif, from 1 (upright) to 8."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ...untrusted.boundary import plain
from ..image import Array, Region

__all__ = ["Orientation"]

_T = TypeVar("_T")
_WORDS = {
    2: "mirrored left to right",
    3: "turned by 180 degrees",
    4: "mirrored top to bottom",
    5: "mirrored along its diagonal",
    6: "turned by 90 degrees clockwise",
    7: "mirrored along its other diagonal",
    8: "turned by 90 degrees counter-clockwise",
}


@dataclass(frozen=True)
class Orientation:
    """What has to be done to the stored pixels: swap the axes, then flip.

    Attributes:
        swapped: whether stored rows are columns of the upright image.
        down, right: whether the upright image's rows, and columns, run against the stored ones.
        notes: what was done, as sentences.
    """

    swapped: bool = False
    down: bool = False
    right: bool = False
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, value: Any, path: Path) -> Orientation:
        """Return what a tag says. Values that do not exist are noted, and the image left as it is."""
        number = int(value) if isinstance(value, int) else 0
        if number == 1 or value is None:
            return cls()
        if number not in _WORDS:
            return cls(notes=(f"{path.name} has an unknown orientation ({plain(value, 40)}): it was left as it is.",))
        note = f"{path.name} was {_WORDS[number]}, as its orientation tag says."
        return cls(number >= 5, number in (3, 4, 7, 8), number in (2, 3, 6, 7), (note,))

    def shape(self, height: _T, width: _T) -> tuple[_T, _T]:
        """Return height and width of the upright image from the stored ones, or the sizes of its pixels."""
        return (width, height) if self.swapped else (height, width)

    def stored(self, region: Region, height: int, width: int) -> Region:
        """Return where a region of the upright image lies in the stored one, of ``height`` and ``width``."""
        tall, wide = self.shape(height, width)
        y = tall - region.y - region.height if self.down else region.y
        x = wide - region.x - region.width if self.right else region.x
        return Region(x, y, region.width, region.height) if self.swapped else Region(y, x, *region[2:])

    def apply(self, array: Array) -> Array:
        """Turn the last two axes of stored pixels upright."""
        if self.swapped:
            array = np.swapaxes(array, -1, -2)
        if self.down:
            array = array[..., ::-1, :]
        return array[..., ::-1] if self.right else array
