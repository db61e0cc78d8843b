"""The fields of a protobuf message, found without decoding them: what a file claims is measured first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..limits import MAX_PROTOBUF_FIELDS

__all__ = ["fields"]

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5


def fields(data: Any, place: int, end: int, what: str) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each field of a message; of bytes and messages, those of what is in them.

    Args:
        data: bytes, or what is indexed like them.
        place: where the message begins.
        end: where it ends.
        what: the format, for messages.

    Raises:
        ValueError: it is none, or is cut short.
    """
    count = 0
    while place < end:
        key, place = _varint(data, place, end, what)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            start = place
            _, place = _varint(data, place, end, what)
        elif kind == _BYTES:
            length, start = _varint(data, place, end, what)
            place = start + length
        elif kind in (_FIXED_32, _FIXED_64):
            start, place = place, place + (8 if kind == _FIXED_64 else 4)
        else:
            raise ValueError(f"it is no {what}")
        count += 1
        if number == 0 or count > MAX_PROTOBUF_FIELDS:
            raise ValueError(f"it is no {what}")
        if place > end:
            raise ValueError(f"it is cut short: {place - end:,} bytes are missing")
        yield number, start, place


def _varint(data: Any, place: int, end: int, what: str) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= end:
            raise ValueError("it is cut short")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, place
    raise ValueError(f"it is no {what}")
