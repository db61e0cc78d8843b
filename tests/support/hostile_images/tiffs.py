"""TIFF files: their tags, the list of their pages, and what is packed in them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from support.hostile_images.parts import GREY, Builder, Hostile, into, written

__all__ = ["HOSTILE", "SOF", "jump"]

HOSTILE: list[Hostile] = []
_add = into(HOSTILE)


def _tags(changes: dict[str, Any], pages: int = 1, **options: Any) -> Builder:
    """Write a good file, and change its tags behind its back."""

    def build(folder: Path) -> Path:
        path = folder / "a.tif"
        tifffile.imwrite(path, np.stack([GREY] * pages) if pages > 1 else GREY, metadata=None, **options)
        with tifffile.TiffFile(path, mode="r+") as tif:
            for name, value in changes.items():
                tif.pages.first.tags[name].overwrite(value)
        return path

    return build


_TILED: dict[str, Any] = {"tile": (16, 16)}
for compression in (None, "zlib", "lzw", "zstd", "jpeg", "jpeg2000", "packbits"):
    for size in (2**16, 2**20, 2**31 - 1):
        _add(
            f"tiff {compression} {size}^2",
            _tags({"ImageWidth": size, "ImageLength": size}, compression=compression, rowsperstrip=64),
        )
    _add(
        f"tiff {compression} one strip of {2**27} rows",
        _tags({"ImageLength": 2**27, "RowsPerStrip": 2**27}, compression=compression, rowsperstrip=64),
    )
    if compression not in ("jpeg", "jpeg2000"):
        _add(f"tiff {compression} 65535 samples", _tags({"SamplesPerPixel": 65535}, compression=compression, **_TILED))
    _add(
        f"tiff {compression} one tile of 2^19 squared",
        _tags(
            {"ImageWidth": 2**19, "ImageLength": 2**19, "TileWidth": 2**19, "TileLength": 2**19},
            compression=compression, tile=(64, 64),
        ),
    )  # fmt: skip
for tag, value in (("StripByteCounts", 2**32 - 1), ("StripOffsets", 2**32 - 1), ("StripByteCounts", 1)):
    _add(f"tiff {tag} {value}", _tags({tag: value}, rowsperstrip=64), "truncated|damaged")


def jump(page_to: dict[int, int], pages: int) -> Builder:
    """Write pages, and lead the list of them elsewhere: from a page to another, or beyond the end (-1)."""

    def build(folder: Path) -> Path:
        path = folder / "circle.tif"
        tifffile.imwrite(path, np.stack([GREY[:16, :16]] * pages), metadata=None, photometric="minisblack")
        with tifffile.TiffFile(path) as tif:
            offsets = [page.offset for page in tif.pages]
        data = bytearray(path.read_bytes())
        for page, target in page_to.items():
            count = struct.unpack_from("<H", data, offsets[page])[0]
            to = offsets[target] if target >= 0 else len(data) + 10
            struct.pack_into("<I", data, offsets[page] + 2 + 12 * count, to)
        path.write_bytes(data)
        return path

    return build


for name, jumps, pages in (
    ("itself", {0: 0}, 1),
    ("two", {1: 0}, 2),
    ("300", {299: 0}, 300),
    ("tail", {149: 120}, 150),
):
    _add(f"tiff circle {name}", jump(jumps, pages), "circle")
_add("tiff list leads out", jump({1: -1}, 2), "beyond its end")


_add("tiff of tags alone", written("a.tif", struct.pack("<2sHIH", b"II", 42, 8, 65535) + bytes(65535 * 12)), "tags")
_add("bigtiff of 2^60 tags", written("a.tif", struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 2**60) + bytes(99)), "tags")
_add("bigtiff with a wild header", written("a.tif", struct.pack("<2sHHHQ", b"II", 43, 4, 9, 16) + bytes(99)), "header")


def _described(text: str, **options: Any) -> Builder:
    def build(folder: Path) -> Path:
        tifffile.imwrite(folder / "a.tif", GREY, description=text, metadata=None, **options)
        return folder / "a.tif"

    return build


for key in ("images", "frames", "slices", "channels"):
    _add(f"imagej {key}", _described(f"ImageJ=1.53t\nimages=1000000000\n{key}=1000000000\n"))
_add("shaped", _described('{"shape": [1000000000, 64, 64]}'))
_add("shaped nested", _described('{"shape": ' + "[" * 100_000 + "]" * 100_000 + "}"))


def _strip(content: bytes, compression: int, bits: int = 8) -> Builder:
    """Write a page of 64 x 64 whose one strip is any bytes."""

    def build(folder: Path) -> Path:
        tags = [
            (256, 4, 64), (257, 4, 64), (258, 3, bits), (259, 3, compression), (262, 3, 1), (273, 4, 8), (277, 3, 1),
            (278, 4, 64), (279, 4, len(content)),
        ]  # fmt: skip
        table = b"".join(struct.pack("<HHII", code, kind, 1, value) for code, kind, value in tags)
        offset = 8 + len(content) + len(content) % 2
        (folder / "strip.tif").write_bytes(
            struct.pack("<2sHI", b"II", 42, offset) + content + bytes(len(content) % 2)
            + struct.pack("<H", len(tags)) + table + bytes(4)
        )  # fmt: skip
        return folder / "strip.tif"

    return build


SOF = (
    b"\xff\xd8\xff\xc0\x00\x0b\x08\xff\xdc\xff\xdc\x01\x01\x11\x00"
    + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    + bytes(64)
)
_add("tiff strip of jpeg 65500^2", _strip(SOF, 7), "picture of 65500 x 65500")


def huge_jpeg_2000() -> bytes:
    data = bytearray(imagecodecs.jpeg2k_encode(GREY, codecformat="j2k", level=0))
    place = data.find(b"\xff\x51")
    struct.pack_into(">II", data, place + 6, 2**30, 2**30)
    struct.pack_into(">II", data, place + 22, 2**30, 2**30)
    return bytes(data)


_add("tiff strip of jpeg 2000 2^30", _strip(huge_jpeg_2000(), 34712))
_add("jpeg 2000 of 2^30", written("a.j2k", huge_jpeg_2000()))
_add("tiff strip cut short", _strip(zlib.compress(bytes(100)), 8), "damaged|cannot")
