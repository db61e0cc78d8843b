"""All readers: for files that this package wrote, those of each family, and those of other packages."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from ..families.checkpoint import Reader
from ..families.registry import FAMILIES
from ..registry import Registry
from . import exported_file, single_file

__all__ = ["READERS", "Readers"]

_OF_ALL: tuple[Reader, ...] = (single_file.READER, exported_file.READER)
"""Readers of files of any family."""

_OF_OTHERS: Registry[Reader] = Registry("reader", "instanseg_export.readers", {})
"""Readers that other packages add to a family of ours. A family of theirs names its own."""


class Readers:
    """Gives the readers in the order in which they are tried. Of two with one name, the first counts."""

    def __iter__(self) -> Iterator[Reader]:
        of_families = (reader for family in FAMILIES for reader in family.readers)
        seen = set()
        for reader in chain(_OF_ALL, of_families, _OF_OTHERS):
            if reader.name not in seen:
                seen.add(reader.name)
                yield reader

    def names(self) -> list[str]:
        """Return the names of all readers, in the same order."""
        return [reader.name for reader in self]


READERS = Readers()
