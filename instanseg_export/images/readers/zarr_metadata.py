"""What a Zarr folder says of itself, read and checked before the library that decodes it sees it.

Versions 2 and 3 (https://zarr-specs.readthedocs.io). Codecs are an allowlist: one of version 2 unpickles what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ...untrusted.boundary import parsing, plain, regular_file
from ...untrusted.json_texts import load_json

__all__ = ["ArrayMetadata", "Node", "array_metadata", "read_node"]

_FILES = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
_PACKERS = {"blosc", "zlib", "gzip", "zstd", "lz4", "bz2", "lzma"}
_FILTERS = {"shuffle", "delta", "bitround", "bytes", "transpose", "crc32c", "crc32", "adler32", "fletcher32"}
_KNOWN = _PACKERS | _FILTERS
_MOST_AXES = 16


@dataclass(frozen=True)
class Node:
    """A folder of a Zarr hierarchy.

    Attributes:
        path: of the folder.
        version: 2 or 3, of the storage format.
        array: what describes its array; None for a group.
        attributes: that its writer added.
    """

    path: Path
    version: int
    array: Mapping[str, Any] | None
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class ArrayMetadata:
    """How an array is stored.

    Attributes:
        shape: of the array.
        dtype: of its values.
        files: shape of the part that one file holds: a chunk, or a shard of several.
        chunks: shape of what is decoded at once; that of ``files`` without shards.
        packer: name of the compression of a chunk; "" for none.
        index_first: of shards: whether the table of their chunks is at their start. None without shards.
        index_checked: of shards: whether the table ends with a checksum.
        prefix, separator: of the names of the files.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    files: tuple[int, ...]
    chunks: tuple[int, ...]
    packer: str
    index_first: bool | None
    index_checked: bool
    prefix: str
    separator: str


def read_node(path: Path) -> Node | None:
    """Return what a folder says of itself; None if it is no Zarr.

    Raises:
        ImageError: its metadata are no files, too long, or damaged.
    """
    for name in _FILES:
        if (path / name).exists() or (path / name).is_symlink():
            regular_file(path / name, ImageError)
    if (path / "zarr.json").exists():
        content = _json(path / "zarr.json")
        kind = content.get("node_type")
        if kind not in ("array", "group") or content.get("zarr_format") != 3:
            raise ImageError(f"{path / 'zarr.json'} describes no array and no group.", hint="Export it again.")
        attributes = content.get("attributes") or {}
        return Node(path, 3, content if kind == "array" else None, _mapping(attributes, path / "zarr.json"))
    attributes = _json(path / ".zattrs") if (path / ".zattrs").exists() else {}
    if (path / ".zarray").exists():
        return Node(path, 2, _json(path / ".zarray"), attributes)
    if (path / ".zgroup").exists() or "multiscales" in attributes:
        return Node(path, 2, None, attributes)
    return None


def array_metadata(node: Node) -> ArrayMetadata:
    """Return how a node's array is stored.

    Raises:
        ImageError: a key is missing or of a wrong type, or values or codecs are of a kind that is not read here.
    """
    content = node.array
    assert content is not None
    with parsing(node.path, "its description of the array", ImageError, hint="Export it again."):
        return _version_2(node, content) if node.version == 2 else _version_3(node, content)


def _version_2(node: Node, content: Mapping[str, Any]) -> ArrayMetadata:
    path = node.path
    shape, chunks = _sizes(content["shape"], path, 0), _sizes(content["chunks"], path, 1)
    compressor, filters = content.get("compressor"), content.get("filters") or ()
    packer = "" if compressor is None else _codec(compressor.get("id"), path)
    for one in filters:
        if _codec(one.get("id"), path) in _PACKERS:
            raise _unknown(path, f"the filter {one['id']}")
    separator = content.get("dimension_separator", ".")
    if separator not in (".", "/"):
        raise _unknown(path, f"the separator {separator!r}")
    return _checked(
        path, ArrayMetadata(shape, _dtype(content["dtype"], path), chunks, chunks, packer, None, False, "", separator)
    )


def _version_3(node: Node, content: Mapping[str, Any]) -> ArrayMetadata:
    path = node.path
    grid = content["chunk_grid"]
    if grid["name"] != "regular" or content.get("storage_transformers"):
        raise _unknown(path, f"a {grid['name']} grid of chunks")
    shape, files = _sizes(content["shape"], path, 0), _sizes(grid["configuration"]["chunk_shape"], path, 1)
    chunks, index_first, checked = files, None, False
    codecs = content["codecs"]
    packer = ""
    names = [_codec(one["name"] if isinstance(one, Mapping) else one, path, sharding=True) for one in codecs]
    if "sharding_indexed" in names:
        if len(names) != 1:
            raise _unknown(path, "shards with further codecs")
        options = codecs[0]["configuration"]
        chunks = _sizes(options["chunk_shape"], path, 1)
        index_first = options.get("index_location", "end") == "start"
        index = [_codec(one["name"], path) for one in options["index_codecs"]]
        if index not in (["bytes"], ["bytes", "crc32c"]):
            raise _unknown(path, f"shards whose index is {', '.join(index)}")
        if options["index_codecs"][0].get("configuration", {}).get("endian", "little") != "little":
            raise _unknown(path, "shards whose index is big-endian")
        checked = "crc32c" in index
        names = [_codec(one["name"], path) for one in options["codecs"]]
    packers = [name for name in names if name in _PACKERS]
    if len(packers) > 1:
        raise _unknown(path, f"chunks that are packed {len(packers)} times")
    packer = packers[0] if packers else ""
    encoding = content["chunk_key_encoding"]
    default = encoding["name"] == "default"
    if not default and encoding["name"] != "v2":
        raise _unknown(path, f"names of chunks by {encoding['name']!r}")
    separator = (encoding.get("configuration") or {}).get("separator", "/" if default else ".")
    if separator not in (".", "/"):
        raise _unknown(path, f"the separator {separator!r}")
    return _checked(
        path,
        ArrayMetadata(
            shape,
            _dtype(content["data_type"], path),
            files,
            chunks,
            packer,
            index_first,
            checked,
            f"c{separator}" if default else "",
            separator,
        ),
    )


def _checked(path: Path, metadata: ArrayMetadata) -> ArrayMetadata:
    count = len(metadata.shape)
    if not len(metadata.files) == len(metadata.chunks) == count or not 0 < count <= _MOST_AXES:
        raise ImageError(f"{path} has {count} axes, and chunks of {len(metadata.files)}.", hint="Export it again.")
    if any(whole % part for whole, part in zip(metadata.files, metadata.chunks, strict=True)):
        raise ImageError(f"{path} has shards that are no multiple of its chunks.", hint="Export it again.")
    return metadata


def _sizes(value: Any, path: Path, least: int) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(one) is int and least <= one < 2**62 for one in value):
        raise ImageError(f"{path} has sizes that are none: {plain(value, 80)}.", hint="Export it again.")
    return tuple(value)


def _codec(name: Any, path: Path, *, sharding: bool = False) -> str:
    short = str(name).removeprefix("numcodecs.")
    if short not in _KNOWN and not (sharding and short == "sharding_indexed"):
        raise _unknown(path, f"the codec {plain(name, 60)!r}")
    return short


def _dtype(name: Any, path: Path) -> np.dtype[Any]:
    if isinstance(name, str) and (name.lstrip("<>|=")[:1] in "buif"):
        try:
            dtype = np.dtype(name)
        except TypeError:
            dtype = np.dtype("O")
        if dtype.kind in "buif" and dtype.itemsize <= 8:
            return dtype
    raise ImageError(
        f"{path} holds values of type {plain(name, 60)}.", hint="Convert it to 8-bit, 16-bit or 32-bit float."
    )


def _unknown(path: Path, what: str) -> ImageError:
    return ImageError(
        f"{path} is stored with {what}, which is not read here.",
        hint="Save it with the codecs blosc, zstd, gzip, lz4 or none.",
    )


def _json(path: Path) -> Mapping[str, Any]:
    content = load_json(path, "its metadata", ImageError, hint="Copy or export it again.", finite=False)
    return _mapping(content, path)


def _mapping(value: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ImageError(f"{path} holds no mapping.", hint="Copy or export it again.")
    return value
