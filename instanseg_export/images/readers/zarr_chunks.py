"""The chunks of a Zarr array that a region touches: measured before they are decoded."""

from __future__ import annotations

import bz2
import itertools
import lzma
import math
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import ImageError
from ...limits import MAX_ZARR_CHUNKS, UNPACKED_WITHOUT_QUESTION
from ...untrusted.boundary import regular_file
from ..image import check_memory
from .tiff_page import check_unpacked
from .zarr_metadata import ArrayMetadata

__all__ = ["Touched", "check_chunk", "check_chunks", "check_shard"]

_DEFLATE_RATIO = 1100
_EMPTY = 2**64 - 1
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Touched:
    """What a selection of an array touches.

    Attributes:
        files: how many files there should be.
        missing: how many of them are not there: writers leave those out that hold the fill value alone.
    """

    files: int
    missing: int


def check_chunks(path: Path, metadata: ArrayMetadata, selection: Sequence[tuple[int, int]]) -> Touched:
    """Compare the chunks that a selection touches with what their files can hold.

    Args:
        path: of the array's folder.
        metadata: of the array.
        selection: start and stop along each axis.

    Raises:
        ImageError: there are too many chunks, one is no regular file, or claims or unpacks to more than it should.
    """
    item = metadata.dtype.itemsize
    for parts, what in ((metadata.files, "files"), (metadata.chunks, "chunks")):
        ranges = [
            range(start // part, (stop - 1) // part + 1) for (start, stop), part in zip(selection, parts, strict=True)
        ]
        count = math.prod(len(each) for each in ranges)
        if count > MAX_ZARR_CHUNKS:
            raise ImageError(
                f"{path} is cut into {count} {what} where it is read, more than {MAX_ZARR_CHUNKS}.",
                hint="Read a part of it, or save it with larger chunks.",
            )
        if what == "files":
            grid = ranges
    chunk = math.prod(metadata.chunks) * item
    check_memory(path, chunk)
    stored = missing = total = 0
    for place in itertools.product(*grid):
        total += 1
        file = path / (metadata.prefix + metadata.separator.join(map(str, place)))
        if not file.exists() and not file.is_symlink():
            missing += 1
            continue
        size = regular_file(file, ImageError)
        stored += size
        with file.open("rb") as stream:
            if metadata.index_first is None:
                check_chunk(file, stream, 0, size, metadata)
            else:
                check_shard(file, stream, size, metadata)
    claimed = math.prod(stop - start for start, stop in selection) * item
    check_unpacked(path, claimed, stored)
    return Touched(total, missing)


def check_chunk(file: Path, stream: BinaryIO, start: int, size: int, metadata: ArrayMetadata) -> None:
    """Compare a chunk with what it should unpack to.

    Args:
        file: that holds it, for messages.
        stream: of that file, or of what was read of it.
        start: of the chunk in the stream.
        size: of the chunk, in bytes, packed.
        metadata: of its array.

    Raises:
        ImageError: it is truncated, or unpacks to more than its pixels.
    """
    chunk = math.prod(metadata.chunks) * metadata.dtype.itemsize
    check_unpacked(file, chunk, size)
    _check_packed(file, stream, start, size, metadata.packer, chunk)
    if not metadata.packer and size < chunk:
        raise ImageError(
            f"{file} is truncated: it has {size} bytes, and its chunk {chunk}.", hint="Copy or export it again."
        )


def check_shard(file: Path, stream: BinaryIO, size: int, metadata: ArrayMetadata) -> None:
    """Compare all chunks of a shard with what they should unpack to.

    Args:
        file: that is the shard, for messages.
        stream: of that file, or of what was read of it.
        size: of the shard, in bytes.
        metadata: of its array.

    Raises:
        ImageError: it is truncated, or a chunk lies beyond its end or unpacks to more than its pixels.
    """
    chunk = math.prod(metadata.chunks) * metadata.dtype.itemsize
    inside = math.prod(whole // part for whole, part in zip(metadata.files, metadata.chunks, strict=True))
    length = 16 * inside
    table_size = length + 4 * metadata.index_checked
    if table_size > size:
        raise ImageError(f"{file} is truncated: its table of chunks needs {table_size} bytes.", hint="Export it again.")
    stream.seek(0 if metadata.index_first else size - table_size)
    table = np.frombuffer(stream.read(length), "<u8").reshape(inside, 2)
    for start, count in table[table[:, 0] != _EMPTY].tolist():
        if start > size or count > size or start + count > size:
            raise ImageError(f"{file} is damaged: a chunk of it lies beyond its end.", hint="Export it again.")
        check_unpacked(file, chunk, count)
        _check_packed(file, stream, start, count, metadata.packer, chunk)


def _check_packed(file: Path, stream: BinaryIO, start: int, size: int, packer: str, chunk: int) -> None:
    """Refuse a packed chunk that unpacks to more than its pixels: its decoder does not know how many they are."""
    if not packer:
        return
    if packer in ("zlib", "gzip") and size * _DEFLATE_RATIO < max(4 * chunk, UNPACKED_WITHOUT_QUESTION):
        return
    stream.seek(start)
    unpacks: int | None
    if packer in ("blosc", "lz4", "zstd"):
        head = stream.read(min(size, 18))
        if packer == "blosc" and (packed := _packed(head)) > size:
            # Blosc's decoder believes this number, and reads on in memory that is not the chunk's.
            raise ImageError(
                f"{file} is truncated: a chunk of it has {size} bytes, and says {packed}.",
                hint="Copy or export it again.",
            )
        unpacks = _stated(head, packer)
        if unpacks is None:
            import imagecodecs

            stream.seek(start)
            unpacks = len(imagecodecs.zstd_decode(stream.read(size), out=2 * chunk + 1024))
    else:
        unpacks = _measured(stream, size, packer, 2 * chunk + 1024)
    # Filters may add a little to a chunk, such as a checksum.
    if unpacks > 2 * chunk + 1024:
        raise ImageError(
            f"{file} is damaged: it unpacks to {unpacks} bytes or more, and its chunk has {chunk}.",
            hint="Copy or export it again.",
        )


def _packed(head: bytes) -> int:
    """Return how many bytes a chunk of Blosc says that it has, with its header; too many if it has none."""
    return int(struct.unpack_from("<I", head, 12)[0]) if len(head) >= 16 else 2**32


def _stated(head: bytes, packer: str) -> int | None:
    """Return the size that a packed chunk states; None if it does not."""
    if packer == "blosc":
        return int(struct.unpack_from("<I", head, 4)[0]) if len(head) >= 16 else 0
    if packer == "lz4":
        return int(struct.unpack_from("<I", head)[0]) if len(head) >= 4 else 0
    if len(head) < 6 or head[:4] != b"\x28\xb5\x2f\xfd":
        return 0  # its decoder refuses it
    flags = head[4]
    width = (1 if flags & 0x20 else 0, 2, 4, 8)[flags >> 6]
    place = 5 + (0 if flags & 0x20 else 1) + (0, 1, 2, 4)[flags & 3]
    if not width or len(head) < place + width:
        return None
    return int.from_bytes(head[place : place + width], "little") + (256 if width == 2 else 0)


def _measured(stream: BinaryIO, size: int, packer: str, limit: int) -> int:
    """Unpack a part of a file as far as a limit, and return how much came out."""
    make: dict[str, Callable[[], Any]] = {
        "zlib": zlib.decompressobj,
        "gzip": lambda: zlib.decompressobj(31),
        "bz2": bz2.BZ2Decompressor,
        "lzma": lzma.LZMADecompressor,
    }
    unpacker, total, data = make[packer](), 0, b""
    while total <= limit:
        if not data and getattr(unpacker, "needs_input", True):
            data = stream.read(min(size, _BLOCK))
            size -= len(data)
            if not data:
                break
        total += len(unpacker.decompress(data, _BLOCK))
        # What follows the end of a stream is another one, which the decoders read too.
        data = unpacker.unused_data if unpacker.eof else getattr(unpacker, "unconsumed_tail", b"")
        if unpacker.eof:
            unpacker = make[packer]()
    return total
