"""Small files that claim much, wait for ever, climb out of their folder, or run code: each is to be refused in words.

``HOSTILE`` is a table of (name, builder, pattern of the message). As a program it reads every one in a process with
little memory, and prints a JSON object: name -> [kind of outcome, message].
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import os
import resource
import signal
import socket
import struct
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image as Pillow

__all__ = ["HOSTILE", "outcomes"]

ROOM = 1_500_000_000
SECONDS = 20
GREY = (np.add.outer(np.arange(64), np.arange(64)) % 251).astype(np.uint8)

Builder = Callable[[Path], Path]
HOSTILE: list[tuple[str, Builder, str]] = []


def _add(name: str, builder: Builder, says: str = "") -> None:
    assert name not in {known for known, _, _ in HOSTILE}, f"two are called {name!r}"
    HOSTILE.append((name, builder, says))


# TIFF


def _tags(changes: dict[str, Any], pages: int = 1, **options: Any) -> Builder:
    """Write a good file, and change its tags behind its back."""

    def build(folder: Path) -> Path:
        path = folder / "a.tif"
        tifffile.imwrite(path, np.stack([GREY] * pages) if pages > 1 else GREY, metadata=None, **options)
        with tifffile.TiffFile(path, mode="r+") as tif:
            for name, value in changes.items():
                tif.pages.first.tags[name].overwrite(value)
        return path

    return build


_TILED: dict[str, Any] = {"tile": (16, 16)}
for compression in (None, "zlib", "lzw", "zstd", "jpeg", "jpeg2000", "packbits"):
    for size in (2**16, 2**20, 2**31 - 1):
        _add(
            f"tiff {compression} {size}^2",
            _tags({"ImageWidth": size, "ImageLength": size}, compression=compression, rowsperstrip=64),
        )
    _add(
        f"tiff {compression} one strip of {2**27} rows",
        _tags({"ImageLength": 2**27, "RowsPerStrip": 2**27}, compression=compression, rowsperstrip=64),
    )
    if compression not in ("jpeg", "jpeg2000"):
        _add(f"tiff {compression} 65535 samples", _tags({"SamplesPerPixel": 65535}, compression=compression, **_TILED))
    _add(
        f"tiff {compression} one tile of 2^19 squared",
        _tags(
            {"ImageWidth": 2**19, "ImageLength": 2**19, "TileWidth": 2**19, "TileLength": 2**19},
            compression=compression, tile=(64, 64),
        ),
    )  # fmt: skip
for tag, value in (("StripByteCounts", 2**32 - 1), ("StripOffsets", 2**32 - 1), ("StripByteCounts", 1)):
    _add(f"tiff {tag} {value}", _tags({tag: value}, rowsperstrip=64), "truncated|damaged")


def _jump(page_to: dict[int, int], pages: int) -> Builder:
    """Write pages, and lead the list of them elsewhere: from a page to another, or beyond the end (-1)."""

    def build(folder: Path) -> Path:
        path = folder / "circle.tif"
        tifffile.imwrite(path, np.stack([GREY[:16, :16]] * pages), metadata=None, photometric="minisblack")
        with tifffile.TiffFile(path) as tif:
            offsets = [page.offset for page in tif.pages]
        data = bytearray(path.read_bytes())
        for page, target in page_to.items():
            count = struct.unpack_from("<H", data, offsets[page])[0]
            to = offsets[target] if target >= 0 else len(data) + 10
            struct.pack_into("<I", data, offsets[page] + 2 + 12 * count, to)
        path.write_bytes(data)
        return path

    return build


for name, jumps, pages in (
    ("itself", {0: 0}, 1),
    ("two", {1: 0}, 2),
    ("300", {299: 0}, 300),
    ("tail", {149: 120}, 150),
):
    _add(f"tiff circle {name}", _jump(jumps, pages), "circle")
_add("tiff list leads out", _jump({1: -1}, 2), "beyond its end")


def _bytes(name: str, content: bytes | Callable[[], bytes]) -> Builder:
    def build(folder: Path) -> Path:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content())
        return folder / name

    return build


_add("tiff of tags alone", _bytes("a.tif", struct.pack("<2sHIH", b"II", 42, 8, 65535) + bytes(65535 * 12)), "tags")
_add("bigtiff of 2^60 tags", _bytes("a.tif", struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 2**60) + bytes(99)), "tags")
_add("bigtiff with a wild header", _bytes("a.tif", struct.pack("<2sHHHQ", b"II", 43, 4, 9, 16) + bytes(99)), "header")


def _ome(pixels: str = "", data: str = "", more: str = "", head: str = "") -> Builder:
    def build(folder: Path) -> Path:
        sizes = {"SizeX": "64", "SizeY": "64", "SizeZ": "1", "SizeC": "1", "SizeT": "1"}
        for part in pixels.split():
            key, _, value = part.partition("=")
            sizes[key] = value
        written = " ".join(f'{key}="{value}"' for key, value in sizes.items())
        xml = (
            f'<?xml version="1.0" encoding="UTF-8"?>{head}<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
            f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" {written}>'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data or "<TiffData/>"}</Pixels></Image>{more}</OME>'
        )
        tifffile.imwrite(folder / "a.ome.tif", GREY, description=xml, metadata=None)
        return folder / "a.ome.tif"

    return build


for axis in "ZCT":
    for count in ("1000000000", "9" * 18, "9" * 5000, "-5", "1e9", "many"):
        _add(f"ome Size{axis}={count[:12]}, {len(count)} characters", _ome(f"Size{axis}={count}"), "planes|count|hold")
_add("ome three sizes", _ome("SizeZ=100000 SizeC=100000 SizeT=100000"), "planes")
for name in ("IFD", "FirstC", "FirstZ", "FirstT", "PlaneCount", "NumPlanes"):
    _add(f"ome {name}", _ome(data=f'<TiffData {name}="4000000000"/>'), "planes")
_add(
    "ome modulo",
    _ome(
        more='<StructuredAnnotations><XMLAnnotation ID="A:0" Namespace="openmicroscopy.org/omero/dimension/modulo">'
        "<Value>"
        '<Modulo><ModuloAlongT Type="lifetime" Start="0" Step="0.000001" End="1000000000"/></Modulo></Value>'
        "</XMLAnnotation></StructuredAnnotations>"
    ),
    "Modulo",
)
_LAUGH = '<!DOCTYPE a [<!ENTITY a0 "ha">' + "".join(
    f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12)
) + "]>"  # fmt: skip
_add("ome laughs", _ome(head=_LAUGH, more="<x>&a11;</x>"), "entities")
_add("ome nested", _ome(more="<x>" * 100_000 + "</x>" * 100_000), "nested")
for name in ("../secret.tif", "/etc/passwd", "C:\\secret.tif", "..\\secret.tif", "/dev/zero"):
    _add(f"ome climbs {name}", _ome(data=f'<TiffData><UUID FileName="{name}">urn:uuid:1</UUID></TiffData>'), "outside")


def _fifo_in_set(folder: Path) -> Path:
    os.mkfifo(folder / "b.ome.tif")
    return _ome(data='<TiffData><UUID FileName="b.ome.tif">urn:uuid:1</UUID></TiffData>')(folder)


_add("ome set with a pipe", _fifo_in_set, "pipe")


def _circle_in_set(folder: Path) -> Path:
    _jump({149: 120}, 150)(folder).rename(folder / "b.ome.tif")
    return _ome(data='<TiffData><UUID FileName="b.ome.tif">urn:uuid:1</UUID></TiffData>')(folder)


_add("ome set with a circle", _circle_in_set, "circle")


def _described(text: str, **options: Any) -> Builder:
    def build(folder: Path) -> Path:
        tifffile.imwrite(folder / "a.tif", GREY, description=text, metadata=None, **options)
        return folder / "a.tif"

    return build


for key in ("images", "frames", "slices", "channels"):
    _add(f"imagej {key}", _described(f"ImageJ=1.53t\nimages=1000000000\n{key}=1000000000\n"))
_add("shaped", _described('{"shape": [1000000000, 64, 64]}'))
_add("shaped nested", _described('{"shape": ' + "[" * 100_000 + "]" * 100_000 + "}"))


def _strip(content: bytes, compression: int, bits: int = 8) -> Builder:
    """Write a page of 64 x 64 whose one strip is any bytes."""

    def build(folder: Path) -> Path:
        tags = [
            (256, 4, 64), (257, 4, 64), (258, 3, bits), (259, 3, compression), (262, 3, 1), (273, 4, 8), (277, 3, 1),
            (278, 4, 64), (279, 4, len(content)),
        ]  # fmt: skip
        table = b"".join(struct.pack("<HHII", code, kind, 1, value) for code, kind, value in tags)
        offset = 8 + len(content) + len(content) % 2
        (folder / "strip.tif").write_bytes(
            struct.pack("<2sHI", b"II", 42, offset) + content + bytes(len(content) % 2)
            + struct.pack("<H", len(tags)) + table + bytes(4)
        )  # fmt: skip
        return folder / "strip.tif"

    return build


_PACKERS: dict[str, Callable[[bytes], bytes | bytearray]] = {
    "zlib": lambda data: zlib.compress(data, 9),
    "gzip": lambda data: gzip.compress(data, 9),
    "bz2": bz2.compress,
    "zstd": lambda data: imagecodecs.zstd_encode(data, level=9),
    "lzma": lambda data: imagecodecs.lzma_encode(data[: 1 << 28]),
}


@cache
def _bomb(codec: str) -> bytes:
    """A gigabyte of zeros, packed. It takes seconds, so not whenever this module is imported."""
    return bytes(_PACKERS[codec](bytes(1 << 30)))


_SOF = (
    b"\xff\xd8\xff\xc0\x00\x0b\x08\xff\xdc\xff\xdc\x01\x01\x11\x00"
    + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    + bytes(64)
)
_add("tiff strip of jpeg 65500^2", _strip(_SOF, 7), "picture of 65500 x 65500")


def _huge_jpeg_2000() -> bytes:
    data = bytearray(imagecodecs.jpeg2k_encode(GREY, codecformat="j2k", level=0))
    place = data.find(b"\xff\x51")
    struct.pack_into(">II", data, place + 6, 2**30, 2**30)
    struct.pack_into(">II", data, place + 22, 2**30, 2**30)
    return bytes(data)


_add("tiff strip of jpeg 2000 2^30", _strip(_huge_jpeg_2000(), 34712))
_add("jpeg 2000 of 2^30", _bytes("a.j2k", _huge_jpeg_2000()))
_add("tiff strip cut short", _strip(zlib.compress(bytes(100)), 8), "damaged|cannot")

# Pictures


def _png(width: int, height: int, *extra: tuple[bytes, bytes]) -> bytes:
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), *extra, (b"IDAT", zlib.compress(bytes(99))),
        (b"IEND", b""),
    ]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


for size in (12_000, 60_000, 2**31 - 1):
    _add(f"png {size}^2", _bytes("a.png", _png(size, size)))
_add("png text bomb", _bytes("a.png", lambda: _png(8, 8, (b"zTXt", b"a\0\0" + _bomb("zlib")))))
_add("png profile bomb", _bytes("a.png", lambda: _png(8, 8, (b"iCCP", b"a\0\0" + _bomb("zlib")))))
_add("jpeg 65500^2", _bytes("a.jpg", _SOF))
_add("bmp 2^30", _bytes("a.bmp", b"BM" + struct.pack("<IHHIIiiHHIIIIII", 0, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0)))  # noqa: E501  # fmt: skip
_add("gif 65535^2", _bytes("a.gif", b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\x00;"))  # noqa: E501  # fmt: skip
_add("pgm 99999999^2", _bytes("a.pgm", b"P5 99999999 99999999 255\n" + bytes(99)))
_WEBP = io.BytesIO()
Pillow.new("RGB", (16383, 16383)).save(_WEBP, "WEBP", lossless=True, quality=0, method=0)
_add("webp 16383^2", _bytes("a.webp", _WEBP.getvalue()), "too large")

# Zarr


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
for codec in _PACKERS:
    _add(f"zarr {codec} bomb", _zarr({"compressor": {"id": codec}}, partial(_bomb, codec)), "unpacks|damaged")
_add(
    "zarr gzip bomb behind a good one",
    _zarr({"compressor": {"id": "gzip"}}, lambda: gzip.compress(bytes(4096)) + _bomb("gzip")),
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

# What is no file


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "a.tif")
    return folder / "a.tif"


def _link_to_pipe(folder: Path) -> Path:
    (folder / "link.tif").symlink_to(_pipe(folder))
    return folder / "link.tif"


def _socket(folder: Path) -> Path:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / "a.tif"))
    server.close()
    return folder / "a.tif"


def _link(name: str) -> Builder:
    def build(folder: Path) -> Path:
        (folder / "a").symlink_to(folder / name)
        return folder / "a"

    return build


def _elsewhere(path: Path) -> Builder:
    return lambda folder: path


_add("pipe", _pipe, "pipe")
_add("link to a pipe", _link_to_pipe, "pipe")
_add("socket", _socket, "socket")
for device in ("zero", "null", "random", "tty"):
    _add(f"/dev/{device}", _elsewhere(Path("/dev") / device), "device")
_add("link to itself", _link("a"))
_add("a name with a zero", lambda folder: folder / "a\0b.tif")
_add("a name that is too long", lambda folder: folder / ("a" * 5000))
_add("below a file", lambda folder: _bytes("a", b"x")(folder) / "b.tif", "no file")
_add("link to nothing", _link("b"), "no file")


def outcomes(names: list[str] | None = None) -> dict[str, tuple[str, str]]:
    """Try every hostile file: "refused", "read", or what else came of it; and the message."""
    from instanseg_export.errors import ImageError
    from instanseg_export.images import probe_image, read_image

    found = {}
    for name, builder, _ in HOSTILE:
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = builder(Path(folder))
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, resource.RLIM_INFINITY))
            signal.alarm(SECONDS)
            started = time.perf_counter()
            try:
                with contextlib.suppress(ImageError):
                    probe_image(path)
                read_image(path)
                result = ("read", "")
            except ImageError as error:
                result = ("refused", error.message)
            except Exception as error:
                result = (type(error).__name__, str(error))
            signal.alarm(0)
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            if (Path(folder) / "EXECUTED").exists():
                result = ("executed", "")
            if time.perf_counter() - started > 5:
                print(name, "took", time.perf_counter() - started, file=sys.stderr)  # noqa: T201
        found[name] = result
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(outcomes(sys.argv[1:])))  # noqa: T201
