"""The skeleton of a TIFF file, walked before a library follows it: a list of pages that ends, and is not too long.

TIFF 6.0, BigTIFF, and Hamamatsu's NDPI, which has offsets of 64 bits in a file that says 32.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from ...errors import ImageError
from ...limits import MAX_TIFF_PAGES

__all__ = ["count_pages"]

_MOST_TAGS = 4096
_MOST_SUBIFDS = 1000
_SUBIFDS, _NDPI = 330, 65420


def count_pages(path: Path) -> int:
    """Return how many pages a TIFF file has.

    Raises:
        ImageError: the list of pages runs in a circle or has no end, leads out of the file, or is damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(16)
        order = "<" if start[:2] == b"II" else ">"
        big = len(start) >= 16 and struct.unpack(order + "H", start[2:4])[0] == 43
        if len(start) < 8 or (not big and struct.unpack(order + "H", start[2:4])[0] == 43):
            raise _truncated(path, size)
        if big and start[4:8] not in (b"\x08\0\0\0", b"\0\x08\0\0"):
            raise ImageError(f"{path} has a damaged BigTIFF header.", hint="Copy or export it again.")
        offset = struct.unpack(order + ("Q" if big else "I"), start[8:16] if big else start[4:8])[0]
        seen: set[int] = set()
        ndpi = False
        while offset:
            if offset in seen:
                raise ImageError(
                    f"{path} is damaged: its list of pages runs in a circle after page {len(seen)}.",
                    hint="Copy or export it again.",
                )
            if offset >= size:
                if not seen or size < 2**32 or big:
                    raise _truncated(path, size)
                return len(seen)  # older programs wrote more than 4 GB with offsets of 32 bits
            seen.add(offset)
            if len(seen) > MAX_TIFF_PAGES:
                raise ImageError(
                    f"{path} has more than {MAX_TIFF_PAGES} pages.",
                    hint="Save the image that you mean as its own file.",
                )
            tags, after = _read_directory(stream, path, size, order, offset, big)
            ndpi = ndpi or (_NDPI in tags and not big and order == "<")
            stream.seek(after)
            width = 8 if big or ndpi else 4
            following = stream.read(width)
            if len(following) < width:
                raise _truncated(path, size)
            offset = struct.unpack(order + ("Q" if width == 8 else "I"), following)[0]
    if not seen:
        raise ImageError(f"{path} holds no image.", hint="Export it again.")
    return len(seen)


def _read_directory(
    stream: BinaryIO, path: Path, size: int, order: str, offset: int, big: bool
) -> tuple[set[int], int]:
    """Return the codes of a page's tags, and where its directory ends."""
    stream.seek(offset)
    width = 8 if big else 2
    head = stream.read(width)
    if len(head) < width:
        raise _truncated(path, size)
    count = struct.unpack(order + ("Q" if big else "H"), head)[0]
    if not 0 < count <= _MOST_TAGS:
        raise ImageError(f"{path} is damaged: a page claims {count} tags.", hint="Copy or export it again.")
    tag_size = 20 if big else 12
    table = stream.read(count * tag_size)
    if len(table) < count * tag_size:
        raise _truncated(path, size)
    codes = set()
    for start in range(0, len(table), tag_size):
        code, _, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), table, start)
        codes.add(code)
        if code == _SUBIFDS and values > _MOST_SUBIFDS:
            raise ImageError(f"{path} is damaged: a page claims {values} pages below it.", hint="Export it again.")
    return codes, offset + width + count * tag_size


def _truncated(path: Path, size: int) -> ImageError:
    return ImageError(
        f"{path} is truncated or damaged: its list of pages leads beyond its end at byte {size}.",
        hint="Copy or export it again.",
    )
