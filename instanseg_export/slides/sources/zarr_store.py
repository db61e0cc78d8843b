"""A store of Zarr whose chunks are measured before they are decoded, as they come in."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable
from pathlib import Path

from zarr.abc.store import ByteRequest, RangeByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore

from ...errors import ImageError
from ...images.readers.zarr_chunks import check_chunk, check_shard
from ...images.readers.zarr_metadata import ArrayMetadata
from ...untrusted.boundary import regular_file

__all__ = ["CheckedStore"]

_METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")

_WAIT = 0.2
"""Seconds before a chunk is asked for again, the first time; four times longer each time after that."""


class CheckedStore(WrapperStore[Store]):
    """Hands on what another store holds, and refuses what claims more than it has.

    Args:
        store: the other one.
        path: of the image, for messages; also where its files are, if ``local``.
        metadata: of the array that is read from here.
        local: whether the store is a folder: pipes and devices are refused there.
        tries: how often a chunk is asked for before the store's error counts: networks fail for moments.

    Attributes:
        missing: keys of chunks that are not there, and so hold the fill value.
    """

    def __init__(
        self,
        store: Store,
        path: Path | None = None,
        metadata: ArrayMetadata | None = None,
        local: bool = False,
        tries: int = 1,
    ) -> None:
        super().__init__(store)
        self._path, self._metadata, self._local, self._tries = path or Path(), metadata, local, tries
        self.missing: set[str] = set()

    def _with_store(self, store: Store) -> CheckedStore:
        return type(self)(store, self._path, self._metadata, self._local, self._tries)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return what a key holds, once it is checked.

        Raises:
            ImageError: a chunk is truncated, unpacks to more than it should, or is no regular file.
        """
        if key.rpartition("/")[2] in _METADATA:
            return await self._store.get(key, prototype, byte_range)
        file = self._path / key
        if self._local and (file.exists() or file.is_symlink()):
            regular_file(file, ImageError)
        value = await self._patiently(key, prototype, byte_range)
        if value is None:
            self.missing.add(key)
        elif self._metadata is not None and (byte_range is None or isinstance(byte_range, RangeByteRequest)):
            data = value.to_bytes()
            if byte_range is None and self._metadata.index_first is not None:
                check_shard(file, io.BytesIO(data), len(data), self._metadata)
            else:
                check_chunk(file, io.BytesIO(data), 0, len(data), self._metadata)
        return value

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return several parts; see :meth:`get`."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def _patiently(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None) -> Buffer | None:
        for attempt in range(1, self._tries):
            try:
                return await self._store.get(key, prototype, byte_range)
            except Exception:  # each protocol has its own kinds of errors
                await asyncio.sleep(_WAIT * 4 ** (attempt - 1))
        return await self._store.get(key, prototype, byte_range)
