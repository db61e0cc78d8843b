"""TIFF files: layout of samples and pages."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from support.peoples_images.parts import (
    FIVE,
    FOUR,
    GREY,
    GREY16,
    GREYF,
    RGB,
    RGB16,
    THREE,
    TWO,
    Kind,
    into,
    last,
    scene_of,
    tiff,
)

__all__ = ["KINDS"]

KINDS: list[Kind] = []
_kind = into(KINDS)


for compression in (None, "zlib", "lzw", "packbits", "zstd", "lzma"):
    for predictor in (False, True) if compression in ("zlib", "lzw", "zstd") else (False,):
        _kind(
            f"tiff uint16 {compression or 'uncompressed'}{' predictor' if predictor else ''}",
            tiff(GREY16[0], compression=compression, predictor=predictor, photometric="minisblack"),
            GREY16,
        )
_kind("tiff float predictor", tiff(GREYF[0], compression="zlib", predictor=3), GREYF)
_kind("tiff tiles", tiff(RGB16[0], tile=(16, 16), compression="zlib"), RGB16[:1])
_kind("tiff tiles of colour", tiff(last(RGB), tile=(32, 16), photometric="rgb"), RGB)
_kind("tiff tiles in planes", tiff(RGB, tile=(16, 16), photometric="rgb", planarconfig="separate"), RGB)
_kind("tiff planes in strips", tiff(RGB, rowsperstrip=7, photometric="rgb", planarconfig="separate"), RGB)
_kind("tiff strips of 7 rows", tiff(last(RGB), rowsperstrip=7, photometric="rgb", compression="lzw"), RGB)
_kind("tiff big-endian", tiff(last(RGB16), byteorder=">", photometric="rgb"), RGB16)
_kind("tiff big-endian deflate predictor", tiff(GREY16[0], byteorder=">", compression="zlib", predictor=True), GREY16)
_kind("bigtiff", tiff(THREE, bigtiff=True, photometric="minisblack"), THREE, "three pages without axes")
for dtype in (np.uint8, np.int8, np.int16, np.uint32, np.int32, np.uint64, np.float16, np.float32, np.float64):
    scene = scene_of(1, dtype)
    _kind(f"tiff {np.dtype(dtype).name}", tiff(scene[0]), scene)
_kind("tiff complex", tiff(GREYF[0].astype(np.complex64)), None, "complex")
_kind("tiff bool", tiff(GREY[0] > 90, photometric="minisblack"), GREY > 90)
_kind("tiff bool white is zero", tiff(GREY[0] > 90, photometric="miniswhite"), GREY <= 90, "inverted")
_kind("tiff pages of 2 without axes", tiff(TWO, photometric="minisblack", metadata=None), TWO, "two pages without axes")
_kind("tiff one page, channels last", tiff(last(FOUR), photometric="minisblack", planarconfig="contig"), FOUR, "four|4")
_kind("tiff default (Y, X, 2)", tiff(last(TWO)), TWO, "last|samples")
_kind("tiff default (Y, X, 5)", tiff(last(FIVE)), FIVE, "last|samples")
_kind("tiff (Y, X, 2) without any metadata", tiff(last(TWO), metadata=None, photometric="minisblack"), TWO, "last")
_kind("tiff (Y, X, 1)", tiff(last(GREY16)), GREY16)
_kind("tiff (1, Y, X)", tiff(GREY16), GREY16)
_kind("tiff axes CYX", tiff(FIVE, metadata={"axes": "CYX"}, photometric="minisblack"), FIVE)
_kind("tiff axes YXC", tiff(last(TWO), metadata={"axes": "YXC"}, photometric="minisblack", planarconfig="contig"), TWO)
_kind("tiff axes ZYX", tiff(THREE, metadata={"axes": "ZYX"}, photometric="minisblack"), None, "volume")
_kind("tiff axes TYX", tiff(THREE, metadata={"axes": "TYX"}, photometric="minisblack"), None, "time series")
_kind("tiff 200 pages without axes", tiff(scene_of(200, np.uint8), photometric="minisblack"), None, "200 pages")
_kind("tiff pages of colour", tiff(np.stack([last(RGB)] * 3), photometric="rgb"), None, "samples per pixel")
_kind(
    "tiff volume", tiff(THREE, metadata={"axes": "ZYX"}, photometric="minisblack"), THREE[None], dimensions=3
)  # fmt: skip
_kind("tiff volume without axes", tiff(THREE, photometric="minisblack"), THREE[None], "slices", dimensions=3)
_kind(
    "tiff truncated metadata", tiff(THREE, metadata={"axes": "CYX", "truncate": True}, photometric="minisblack"), THREE
)


def _packed(values: np.ndarray, bits: int, photometric: int = 1) -> Callable[[Path], Path]:
    """Write one strip of an image (H, W) with ``bits`` per sample."""

    def build(folder: Path) -> Path:
        rows = []
        for row in values:
            stream = "".join(format(int(value), f"0{bits}b") for value in row)
            stream += "0" * (-len(stream) % 8)
            rows.append(bytes(int(stream[i : i + 8], 2) for i in range(0, len(stream), 8)))
        data = b"".join(rows)
        height, width = values.shape
        tags = [
            (256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 8),
            (277, 3, 1), (278, 4, height), (279, 4, len(data)),
        ]  # fmt: skip
        pad = b"\0" * (len(data) % 2)
        table = b"".join(struct.pack("<HHII", code, kind, 1, value) for code, kind, value in tags)
        offset = 8 + len(data) + len(pad)
        header = struct.pack("<2sHI", b"II", 42, offset)
        (folder / "packed.tif").write_bytes(header + data + pad + struct.pack("<H", len(tags)) + table + b"\0\0\0\0")
        return folder / "packed.tif"

    return build


for bits in (2, 4, 10, 12, 14):
    packed = (GREY16[0] >> (16 - bits)).astype(np.uint8 if bits <= 8 else np.uint16)
    _kind(f"tiff {bits} bits", _packed(packed, bits), packed[None])
    _kind(
        f"tiff {bits} bits white is zero", _packed(2**bits - 1 - packed.astype(int), bits, 0), packed[None], "inverted"
    )
