"""Zarr arrays and images."""

from __future__ import annotations

import gzip
import json
import os
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from support.hostile_images.parts import GREY, PACKERS, Builder, Hostile, bomb, into

__all__ = ["HOSTILE"]

HOSTILE: list[Hostile] = []
_add = into(HOSTILE)


def _zarr(
    changes: dict[str, Any], chunk: bytes | Callable[[], bytes] | None = bytes(4096), name: str = "0.0"
) -> Builder:
    """Write a plain array of version 2 by hand."""

    def build(folder: Path) -> Path:
        path = folder / "a.zarr"
        path.mkdir()
        content = {
            "zarr_format": 2, "shape": [64, 64], "chunks": [64, 64], "dtype": "|u1", "compressor": None,
            "filters": None, "fill_value": 0, "order": "C",
        }  # fmt: skip
        (path / ".zarray").write_text(json.dumps(content | changes))
        if chunk is not None:
            (path / name).write_bytes(chunk if isinstance(chunk, bytes) else chunk())
        return path

    return build


for shape in ([10**6, 10**6], [2**40, 2**40], [10**18, 64]):
    _add(f"zarr shape {shape}", _zarr({"shape": shape}))
    _add(
        f"zarr chunks {shape}",
        _zarr({"chunks": shape, "compressor": {"id": "zlib", "level": 1}}, zlib.compress(bytes(64))),
    )
_add("zarr chunks of one pixel", _zarr({"shape": [100_000, 100_000], "chunks": [1, 1]}), "cut into")
_SIZES: tuple[Any, ...] = (
    [-1, 64], ["64", 64], [64.0, 64], [True, 64], [2**70, 64], 64, None, [[64], 64], [64] * 70, [],
)  # fmt: skip
for sizes in _SIZES:
    _add(f"zarr shape {str(sizes)[:40]}", _zarr({"shape": sizes}))
    _add(f"zarr chunks {str(sizes)[:40]}", _zarr({"chunks": sizes}))
_add("zarr chunks of 0", _zarr({"chunks": [0, 64]}))
for dtype in ("|O", "|S9", "<M8[ns]", "<c8", [["a", "<u2"]], "|V2000000000", "<f16", 7, None, "u"):
    _add(f"zarr dtype {dtype}", _zarr({"dtype": dtype}), "values of type|damaged")


def _pickled(folder: Path) -> Path:
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(folder / "EXECUTED"),)

    return _zarr({"filters": [{"id": "pickle"}], "dtype": "|O"}, pickle.dumps(Evil()))(folder)


def _pickled_packer(folder: Path) -> Path:
    path = _pickled(folder)
    content = json.loads((path / ".zarray").read_text())
    content |= {"filters": None, "dtype": "|u1", "compressor": {"id": "pickle"}}
    (path / ".zarray").write_text(json.dumps(content))
    return path


_add("zarr pickle filter", _pickled)
_add("zarr pickle packer", _pickled_packer, "codec 'pickle'")
for codec_id in ("json2", "vlen-utf8", "categorize", "nothing", None, 7):
    _add(f"zarr codec {codec_id}", _zarr({"compressor": {"id": codec_id}}), "codec")
for codec in PACKERS:
    _add(f"zarr {codec} bomb", _zarr({"compressor": {"id": codec}}, partial(bomb, codec)), "unpacks|damaged")
_add(
    "zarr gzip bomb behind a good one",
    _zarr({"compressor": {"id": "gzip"}}, lambda: gzip.compress(bytes(4096)) + bomb("gzip")),
    "unpacks",
)
for name, head in (
    ("lz4", struct.pack("<I", 2**31 - 1) + bytes(99)), ("blosc", struct.pack("<BBBBIII", 2, 1, 1, 1, 2**31 - 1, 2**20, 115) + bytes(99)),  # noqa: E501
    ("zstd", b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 2**50) + bytes(99)),
):  # fmt: skip
    _add(f"zarr {name} that states much", _zarr({"compressor": {"id": name}}, head), "unpacks")
_add("zarr cut chunk", _zarr({}, bytes(100)), "truncated")
_add("zarr no chunk", _zarr({}, None), "none of its 1 chunks")
_add("zarr nested json", lambda folder: _json_file(folder, "[" * 100_000 + "]" * 100_000))
_add(
    "zarr long json",
    lambda folder: _json_file(folder, '{"a": "' + "a" * 20_000_000 + '"}'),
    "too many for its metadata",
)
_add("zarr list", lambda folder: _json_file(folder, "[]"), "mapping")
_add("zarr number of 5000 digits", lambda folder: _json_file(folder, '{"shape": [' + "9" * 5000 + "]}"))


def _json_file(folder: Path, text: str) -> Path:
    (folder / "a.zarr").mkdir()
    (folder / "a.zarr/.zarray").write_text(text)
    return folder / "a.zarr"


def _pipe_at(name: str) -> Builder:
    def build(folder: Path) -> Path:
        path = _zarr({})(folder)
        (path / name).unlink(missing_ok=True)
        os.mkfifo(path / name)
        return path

    return build


for name in (".zarray", ".zattrs", "0.0", "zarr.json"):
    _add(f"zarr pipe at {name}", _pipe_at(name), "pipe")


def _shard(table: bytes) -> Builder:
    def build(folder: Path) -> Path:
        import zarr

        zarr.create_array(
            folder / "a.zarr", data=GREY, zarr_format=3, chunks=(32, 32), shards=(64, 64), compressors=None
        )
        shard = folder / "a.zarr/c/0/0"
        shard.write_bytes(shard.read_bytes()[: -4 - len(table)] + table + bytes(4))
        return folder / "a.zarr"

    return build


_add("zarr shard beyond its end", _shard(struct.pack("<QQ", 2**40, 1024) * 4), "beyond its end")
_add("zarr shard of long chunks", _shard(struct.pack("<QQ", 0, 2**50) * 4), "beyond its end")


def _multiscale(attributes: Any) -> Builder:
    def build(folder: Path) -> Path:
        (folder / "m.zarr").mkdir()
        _zarr({})(folder / "m.zarr").rename(folder / "m.zarr/0")
        (folder / "m.zarr/.zgroup").write_text('{"zarr_format": 2}')
        (folder / "m.zarr/.zattrs").write_text(json.dumps(attributes))
        return folder / "m.zarr"

    return build


_ATTRIBUTES: tuple[dict[str, Any], ...] = (
    {"multiscales": {}}, {"multiscales": []}, {"multiscales": [1]}, {"multiscales": [{}]}, {"multiscales": None},
    {"multiscales": [{"datasets": []}]}, {"multiscales": [{"datasets": [{}]}]}, {"multiscales": [{"datasets": 5}]},
    {"multiscales": [{"datasets": [{"path": "0"}], "axes": 5}]},
    {"multiscales": [{"datasets": [{"path": "0"}], "axes": [1, 2]}]},
    {"multiscales": [{"datasets": [{"path": "0"}], "axes": ["y", "y"]}]},
    {"multiscales": [{"datasets": [{"path": "0"}], "axes": ["c", "y", "x"]}]},
    {"multiscales": [{"datasets": [{"path": "0", "coordinateTransformations": 5}]}]},
    {"multiscales": [{"datasets": [{"path": "0", "coordinateTransformations": [5]}]}]},
    {"multiscales": [{"datasets": [{"path": "lost"}]}]}, {"ome": {"multiscales": [5]}}, {"ome": 5},
)  # fmt: skip
for attributes in _ATTRIBUTES:
    _add(f"zarr {json.dumps(attributes)[:90]}", _multiscale(attributes))
for place in ("../../etc", "/etc", "..\\etc", "C:\\etc"):
    _add(f"zarr climbs {place}", _multiscale({"multiscales": [{"datasets": [{"path": place}]}]}), "outside")
