"""Everyday pictures."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image as Pillow

from support.hostile_images.parts import Hostile, bomb, into, written
from support.hostile_images.tiffs import SOF

__all__ = ["HOSTILE"]

HOSTILE: list[Hostile] = []
_add = into(HOSTILE)


def _png(width: int, height: int, *extra: tuple[bytes, bytes]) -> bytes:
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), *extra, (b"IDAT", zlib.compress(bytes(99))),
        (b"IEND", b""),
    ]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


for size in (12_000, 60_000, 2**31 - 1):
    _add(f"png {size}^2", written("a.png", _png(size, size)))
_add("png text bomb", written("a.png", lambda: _png(8, 8, (b"zTXt", b"a\0\0" + bomb("zlib")))))
_add("png profile bomb", written("a.png", lambda: _png(8, 8, (b"iCCP", b"a\0\0" + bomb("zlib")))))
_add("jpeg 65500^2", written("a.jpg", SOF))
_add("bmp 2^30", written("a.bmp", b"BM" + struct.pack("<IHHIIiiHHIIIIII", 0, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0)))  # noqa: E501  # fmt: skip
_add("gif 65535^2", written("a.gif", b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\x00;"))  # noqa: E501  # fmt: skip
_add("pgm 99999999^2", written("a.pgm", b"P5 99999999 99999999 255\n" + bytes(99)))


def _large_webp() -> bytes:
    stream = io.BytesIO()
    Pillow.new("RGB", (16383, 16383)).save(stream, "WEBP", lossless=True, quality=0, method=0)
    return stream.getvalue()


_add("webp 16383^2", written("a.webp", _large_webp), "too large")
