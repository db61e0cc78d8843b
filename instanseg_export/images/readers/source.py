"""What every reader of a format is, and what it gives: an opened image."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from ..image import Array, ImageInfo, Region

__all__ = ["ImageReader", "Source"]


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


class ImageReader(Protocol):
    """Reads one format. Members of the registry in ``registry.py``.

    Attributes:
        name: unique.
        describes: the format, in a few words.
        suffixes: in lower case, by which such files are called. In a folder of images, a file of such a name is taken
            for an image even if nothing recognises its content, so that a damaged one is reported and not skipped.
    """

    name: str
    describes: str
    suffixes: tuple[str, ...]

    def recognises(self, path: Path, start: bytes) -> bool:
        """Tell by its content, not by its name, whether a file or folder is of this format.

        Args:
            path: of a regular file that is not empty, or of a folder.
            start: the first 512 bytes of the file, or all; nothing of a folder.
        """
        ...

    def open(self, path: Path, dimensions: int) -> AbstractContextManager[Source]:
        """Open the one image of a file, without decoding its pixels.

        Whatever a parser raises becomes an :class:`ImageError` that says the file is damaged.

        Args:
            path: of a file or folder that is recognised.
            dimensions: 2 for an image, 3 for a volume.

        Raises:
            ImageError: it is damaged, claims more than it holds, or has no single image, or volume.
        """
        ...
