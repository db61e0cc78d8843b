"""The region that a user asks for, compared with the image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import ImageError
from .image import Region

__all__ = ["region_of"]


def region_of(path: Path, shape: Sequence[int], wanted: tuple[int, int, int, int]) -> Region:
    """Return a region that a user asks for.

    Args:
        path: of the image, for the message.
        shape: of the image; the last two are its height and width.
        wanted: x, y, width, height.

    Raises:
        ImageError: it is not inside of the image.
    """
    x, y, width, height = wanted
    rows, columns = shape[-2:]
    if x < 0 or y < 0 or width < 1 or height < 1 or x + width > columns or y + height > rows:
        raise ImageError(
            f"The region of {width} x {height} pixels from x {x}, y {y} is not inside of {path}, which is "
            f"{columns} pixels wide and {rows} high.",
            hint="Give it as --region X Y WIDTH HEIGHT, in pixels of the image, from 0 0 at its upper left corner.",
        )
    return Region(y, x, height, width)
