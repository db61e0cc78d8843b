"""Looks into ONNX files without loading them: what a hostile or damaged file claims is measured first.

A file is a sequence of fields (protobuf), and the graph with all weights is one of them. Where it begins and ends is
enough to take its hash and to read the properties, in the memory of the properties alone.
"""

from __future__ import annotations

import hashlib
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import PackageError
from ...limits import MAX_METADATA_BYTES
from ...untrusted.boundary import parsing
from ...untrusted.protobuf import fields

__all__ = ["OnnxOutline", "graph_sha256", "outline"]

_GRAPH, _PROPERTIES = 7, 14
_WHAT = "ONNX file"
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
        for number, start, end in fields(data, 0, len(data), _WHAT):
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
    for number, start, end in fields(data, 0, len(data), _WHAT):
        if number == _GRAPH:
            return hashlib.sha256(data[start:end]).hexdigest()
    raise ValueError("there is no graph")


def _property(data: Any, start: int, end: int, wanted: str) -> dict[str, str]:
    import onnx

    if end - start > MAX_METADATA_BYTES:
        if wanted.encode() in data[start : start + 100]:
            raise ValueError(f"its description of itself has {end - start:,} bytes")
        return {}
    entry = onnx.StringStringEntryProto.FromString(data[start:end])
    return {entry.key: entry.value}
