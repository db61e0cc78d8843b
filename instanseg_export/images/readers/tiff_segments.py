"""Decoded strips and tiles that are kept for the next part of an image, which touches many of them again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ..image import Array

__all__ = ["SegmentCache"]


class SegmentCache:
    """Keeps what was used last, up to a number of bytes.

    Args:
        limit: bytes of pixels; what is larger than this alone is not kept.
    """

    def __init__(self, limit: int = 128 << 20) -> None:
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[Any, tuple[Array, Any]] = OrderedDict()

    def get(self, key: Any) -> tuple[Array, Any] | None:
        """Return what is kept under a key, if anything is."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: Any, array: Array, place: Any = None) -> None:
        """Keep an array, and where it belongs; forget those that were not used for the longest time."""
        if array.nbytes > self._limit or key in self._kept:
            return
        self._kept[key] = array, place
        self._size += array.nbytes
        while self._size > self._limit:
            _, (oldest, _) = self._kept.popitem(last=False)
            self._size -= oldest.nbytes
