"""Looks into ONNX files without loading them: what a hostile or damaged file claims is measured first.

A file is a sequence of fields (protobuf), and the graph with all weights is one of them. Where it begins and ends is
enough to take its hash and to read the properties, in the memory of the properties alone.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import PackageError
from ...limits import MAX_METADATA_BYTES, MAX_ONNX_FIELDS
from ...untrusted.boundary import parsing

__all__ = ["OnnxOutline", "graph_sha256", "outline"]

_GRAPH, _PROPERTIES = 7, 14
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_HINT = "Export the checkpoint again, or get the file again from its publisher."


@dataclass(frozen=True)
class OnnxOutline:
    """What stands at the top of an ONNX file.

    Attributes:
        properties: its metadata properties.
        graph_sha256: of the bytes of its graph, in hex.
        may_refer: whether a tensor may lie in another file.
    """

    properties: dict[str, str]
    graph_sha256: str
    may_refer: bool


def outline(path: Path, wanted: str) -> OnnxOutline:
    """Read an ONNX file's outline.

    Args:
        path: of a file that is not empty.
        wanted: name of the property that is read; others may be of any length.

    Raises:
        PackageError: it is no ONNX file, or is cut or damaged.
    """
    with (
        parsing(path, "the ONNX file", PackageError, hint=_HINT),
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        properties: dict[str, str] = {}
        graph: tuple[int, int] | None = None
        for number, start, end in _fields(data, 0, len(data)):
            if number == _GRAPH:
                if graph is not None:
                    raise ValueError("it has two graphs")
                graph = start, end
            elif number == _PROPERTIES:
                properties |= _property(data, start, end, wanted)
        if graph is None:
            raise ValueError("it has no graph")
        with memoryview(data) as view, view[graph[0] : graph[1]] as bytes_of_graph:
            digest = hashlib.sha256(bytes_of_graph).hexdigest()
        return OnnxOutline(properties, digest, data.find(b"location") >= 0)


def graph_sha256(data: bytes) -> str:
    """Return the hash of the graph in the bytes of an ONNX file that this package made."""
    for number, start, end in _fields(data, 0, len(data)):
        if number == _GRAPH:
            return hashlib.sha256(data[start:end]).hexdigest()
    raise ValueError("there is no graph")


def _fields(data: Any, place: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each field of a message."""
    count = 0
    while place < end:
        key, place = _varint(data, place, end)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            start = place
            _, place = _varint(data, place, end)
        elif kind == _BYTES:
            length, start = _varint(data, place, end)
            place = start + length
        elif kind in (_FIXED_32, _FIXED_64):
            start, place = place, place + (8 if kind == _FIXED_64 else 4)
        else:
            raise ValueError("it is no ONNX file")
        count += 1
        if number == 0 or count > MAX_ONNX_FIELDS:
            raise ValueError("it is no ONNX file")
        if place > end:
            raise ValueError(f"it is cut short: {place - end:,} bytes are missing")
        yield number, start, place


def _varint(data: Any, place: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= end:
            raise ValueError("it is cut short")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, place
    raise ValueError("it is no ONNX file")


def _property(data: Any, start: int, end: int, wanted: str) -> dict[str, str]:
    import onnx

    if end - start > MAX_METADATA_BYTES:
        if wanted.encode() in data[start : start + 100]:
            raise ValueError(f"its description of itself has {end - start:,} bytes")
        return {}
    entry = onnx.StringStringEntryProto.FromString(data[start:end])
    return {entry.key: entry.value}
