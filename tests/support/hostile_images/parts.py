"""What hostile images are written with, and the tables that hold them."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np

__all__ = ["GREY", "PACKERS", "Builder", "Hostile", "bomb", "into", "written"]


GREY = (np.add.outer(np.arange(64), np.arange(64)) % 251).astype(np.uint8)


Builder = Callable[[Path], Path]
Hostile = tuple[str, Builder, str]
"""A name, a builder, and a pattern of the message."""


def into(table: list[Hostile]) -> Callable[..., None]:
    """Return what adds a row to a table."""

    def add(name: str, builder: Builder, says: str = "") -> None:
        assert name not in {known for known, _, _ in table}, f"two are called {name!r}"
        table.append((name, builder, says))

    return add


def written(name: str, content: bytes | Callable[[], bytes]) -> Builder:
    def build(folder: Path) -> Path:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content())
        return folder / name

    return build


def _runs(data: bytes, form: int) -> bytes:
    """Pack with zlib, which has a quick way for runs of one value; ``form`` is its ``wbits``."""
    packer = zlib.compressobj(9, zlib.DEFLATED, form, 9, zlib.Z_RLE)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes | bytearray]] = {
    "zlib": lambda data: _runs(data, 15),
    "gzip": lambda data: _runs(data, 31),
    "bz2": lambda data: 16 * bz2.compress(data[: len(data) // 16]),
    "zstd": lambda data: imagecodecs.zstd_encode(data, level=1),
    "lzma": lambda data: imagecodecs.lzma_encode(data[: 1 << 28], level=0),
}


@cache
def bomb(codec: str) -> bytes:
    """A gigabyte of zeros, packed. It takes a second, so not whenever this module is imported."""
    return bytes(PACKERS[codec](bytes(1 << 30)))
