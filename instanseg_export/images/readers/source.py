"""What every reader of a format gives: an opened image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..image import Array, ImageInfo, Region

__all__ = ["Source"]


class Source(Protocol):
    """An image that is opened, and not read yet.

    Attributes:
        info: what is known of it.
        found: sentences about what reading brought to light, such as parts that the file lacks.
    """

    info: ImageInfo
    found: list[str]

    def read(self, channels: Sequence[int], region: Region) -> Array:
        """Decode (C, [D,] H, W) of the channels, in the order given, in the region. Both lie inside of the image."""
        ...
