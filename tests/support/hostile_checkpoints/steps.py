"""The steps of a pickle, assembled by hand."""

from __future__ import annotations

import pickle
import struct
from typing import Any

__all__ = ["call", "keyed_laugh", "laugh", "name", "number", "plain", "storage", "text", "view"]


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    data = pickle.encode_long(value)
    return b"\x8a" + bytes([len(data)]) + data if len(data) < 256 else b"\x8b" + struct.pack("<i", len(data)) + data


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def call(module: str, attribute: str, *arguments: bytes) -> bytes:
    return name(module, attribute) + b"(" + b"".join(arguments) + b"tR"


def plain(value: Any) -> bytes:
    """The steps that push a value of plain data."""
    return pickle.dumps(value, 2)[2:-1]


def laugh(opening: bytes, closing: bytes, levels: int = 40, between: bytes = b"") -> bytes:
    """Containers of containers, each of which holds the one before ten times."""
    steps = opening + text("ha") + closing + b"q\x00"
    for level in range(1, levels):
        again = b"".join(between + b"h" + bytes([level - 1]) for _ in range(10))
        steps += opening + again + closing + b"q" + bytes([level])
    return steps


def keyed_laugh() -> bytes:
    steps = b"}q\x00"
    for level in range(1, 40):
        pairs = b"".join(text(str(place)) + b"h" + bytes([level - 1]) for place in range(10))
        steps += b"}(" + pairs + b"uq" + bytes([level])
    return steps


def storage(elements: Any = 4, key: Any = "0", kind: bytes = b"", place: Any = "cpu") -> bytes:
    steps = b"(" + text("storage") + (kind or name("torch", "FloatStorage"))
    return steps + plain(key) + plain(place) + (number(elements) if type(elements) is int else plain(elements)) + b"tQ"


def view(offset: Any, size: Any, stride: Any, data: bytes = b"") -> bytes:
    parts = (data or storage()) + plain(offset) + plain(size) + plain(stride) + b"\x89" + b"}"
    return call("torch._utils", "_rebuild_tensor_v2", parts)
