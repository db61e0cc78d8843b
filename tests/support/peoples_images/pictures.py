"""Everyday pictures."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image as Pillow

from support.peoples_images.parts import (
    GREY,
    GREY16,
    OPAQUE,
    RGB,
    RGB16,
    RGBA,
    SMOOTH,
    Kind,
    into,
    last,
    picture,
)

__all__ = ["KINDS"]

KINDS: list[Kind] = []
_kind = into(KINDS)


_kind("png grey", picture(GREY[0], "a.png"), GREY)
_kind("png grey 16", picture(GREY16[0], "a.png"), GREY16)
_kind("png rgb", picture(last(RGB), "a.png"), RGB)
_kind("png rgba, opaque", picture(last(OPAQUE), "a.png"), RGB, "alpha")
_kind("png rgba", picture(last(RGBA), "a.png"), None, "transparent")
_kind("png bool", picture(GREY[0] > 90, "a.png"), GREY > 90)
_INDEXED = Pillow.fromarray(last(RGB)).quantize(32)
_COLOURED = np.moveaxis(np.asarray(_INDEXED.convert("RGB")), -1, 0)


def _saved(picture: Pillow.Image, name: str) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        picture.save(folder / name)
        return folder / name

    return build


for suffix in ("png", "gif", "bmp", "tif"):
    _kind(
        f"{suffix} palette",
        _saved(_INDEXED, f"a.{suffix}"),
        _COLOURED,
        "palette",
    )


def _png_16(planes: np.ndarray) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        (folder / "deep.png").write_bytes(imagecodecs.png_encode(last(planes)))
        return folder / "deep.png"

    return build


_kind("png rgb 16", _png_16(RGB16), RGB16)
_kind("png rgba 16, opaque", _png_16(np.concatenate([RGB16, np.full_like(GREY16, 65535)])), RGB16, "alpha")


def _png(planes: np.ndarray, bits: int, colours: int, transparent: tuple[int, ...] = ()) -> Callable[[Path], Path]:
    """Write a PNG with a colour that stands for nothing (tRNS), or with few bits: no tool here writes those."""

    def build(folder: Path) -> Path:
        rows = b""
        for row in last(planes).astype(">u2" if bits == 16 else np.uint8):
            data = np.unpackbits(row.reshape(-1, 1).view(np.uint8), axis=1)[:, -bits:] if bits < 8 else row
            rows += b"\0" + (np.packbits(data).tobytes() if bits < 8 else data.tobytes())
        header = struct.pack(">IIBBBBB", planes.shape[2], planes.shape[1], bits, colours, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        if transparent:
            chunks.insert(1, (b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)))
        (folder / "hand.png").write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + b"".join(
                struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
                for name, data in chunks
            )
        )
        return folder / "hand.png"

    return build


for bits, deep in ((8, (GREY, RGB)), (16, (GREY16, RGB16))):
    for planes, colours in zip(deep, (0, 2), strict=True):
        used = tuple(int(value) for value in planes[:, 3, 4])
        unused = (int(np.setdiff1d(np.arange(2**bits), planes)[0]),) * len(planes)
        name = f"png of {len(planes)} x {bits} bits"
        _kind(f"{name}, a colour transparent", _png(planes, bits, colours, used), None, "transparent")
        _kind(f"{name}, an unused colour transparent", _png(planes, bits, colours, unused), planes, "alpha")
for bits in (2, 4):
    few = GREY >> (8 - bits)
    _kind(f"png grey {bits} bits", _png(few, bits, 0), few * np.uint8(255 // (2**bits - 1)), "stretched")


def _interlaced(folder: Path) -> Path:
    """Write a PNG by Adam7, whose seven passes no tool here writes."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = b"".join(
        b"\0" + GREY[0][row, x::dx].tobytes() for y, x, dy, dx in passes for row in range(y, GREY.shape[1], dy)
    )
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", GREY.shape[2], GREY.shape[1], 8, 0, 0, 0, 1)),
        (b"IDAT", zlib.compress(rows)), (b"IEND", b""),
    ]  # fmt: skip
    (folder / "adam7.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )
    )
    return folder / "adam7.png"


_kind("png interlaced", _interlaced, GREY)
_kind("png 300 dpi", picture(GREY[0], "a.png", dpi=(300, 300)), GREY)
_kind("jpeg", picture(last(SMOOTH), "a.jpg", quality=98, subsampling=0), SMOOTH, tolerance=5)
_kind("jpeg grey", picture(SMOOTH[0], "a.jpg", quality=98), SMOOTH[:1], tolerance=4)
_kind("jpeg cmyk", picture(last(SMOOTH), "a.jpg", "CMYK", quality=98), None, "CMYK")
_kind("jpeg 2000", picture(last(RGB), "a.jp2"), RGB)
_kind("jpeg 2000 grey 16", picture(GREY16[0], "a.jp2"), GREY16)
_kind("webp lossless", picture(last(RGB), "a.webp", lossless=True), RGB)
_kind("bmp", picture(last(RGB), "a.bmp"), RGB)
_kind("ppm", picture(last(RGB), "a.ppm"), RGB)
_kind("pgm", picture(GREY[0], "a.pgm"), GREY)


def _jpeg_2000_16(folder: Path) -> Path:
    (folder / "deep.jp2").write_bytes(imagecodecs.jpeg2k_encode(last(RGB16), level=0, reversible=True))
    return folder / "deep.jp2"


_kind("jpeg 2000 rgb 16", _jpeg_2000_16, RGB16)


def _jpeg_2000(planes: np.ndarray, bits: int) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        samples = planes[0] if len(planes) == 1 else last(planes)
        data = imagecodecs.jpeg2k_encode(samples, level=0, reversible=True, bitspersample=bits)
        (folder / "bits.jp2").write_bytes(data)
        return folder / "bits.jp2"

    return build


for bits in (10, 12, 14, 16):
    for planes in (GREY16, RGB16):
        few = planes >> (16 - bits)
        _kind(f"jpeg 2000 {len(planes)} x {bits} bits", _jpeg_2000(few, bits), few)
_kind("jpeg 2000 of 4 bits", _jpeg_2000(GREY >> 4, 4), None, "4 bits")


def _frames(name: str) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        first, second = Pillow.fromarray(last(RGB)), Pillow.fromarray(255 - last(RGB))
        first.save(folder / name, save_all=True, append_images=[second], duration=100)
        return folder / name

    return build


for name in ("moving.gif", "moving.png", "moving.webp"):
    _kind(f"{name.split('.')[1]} of two frames", _frames(name), None, "2 frames")
