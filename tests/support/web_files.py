"""Image files of many kinds, and what is none: name, writer, and what the page says of those that it refuses."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image as Pillow

__all__ = ["READ", "REFUSED"]

Write = Callable[[Path], object]

_RANDOM = np.random.default_rng(0)


def noise(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    """Values of the whole range of a type; floats around 0."""
    if np.dtype(dtype).kind == "f":
        return _RANDOM.normal(size=shape).astype(dtype)
    info = np.iinfo(dtype)
    return _RANDOM.integers(info.min, info.max, shape, dtype, endpoint=True)


def tiff(array: np.ndarray, **options: Any) -> Write:
    options = {"photometric": "minisblack", **options}
    return lambda path: tifffile.imwrite(path, array, **options)


def png(array: np.ndarray, **options: Any) -> Write:
    return lambda path: Pillow.fromarray(array).save(path, format="PNG", **options)


def png16(array: np.ndarray) -> Write:
    """A PNG with 16 bits per sample, which Pillow writes for grey only."""
    return lambda path: path.write_bytes(imagecodecs.png_encode(array))


def text(content: str | bytes) -> Write:
    return lambda path: path.write_bytes(content if isinstance(content, bytes) else content.encode())


def pyramid(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        writer.write(noise(128, 160, 3), photometric="rgb", subifds=1, tile=(64, 64))
        writer.write(noise(64, 80, 3), photometric="rgb", subfiletype=1, tile=(64, 64))


GREY, RGB, DEEP = noise(33, 45), noise(33, 45, 3), noise(3, 33, 45, dtype=np.uint16)
OPAQUE = np.dstack([RGB, np.full_like(GREY, 255)])
DTYPES = ("uint16", "int16", "uint32", "float32", "float64", "float16")
IMAGEJ = {"axes": "CYX", "unit": "micron", "Labels": ["DAPI", "CD3, T cells", "Ki67 µ"]}
OME = {
    "axes": "CYX",
    "PhysicalSizeX": 325.0,
    "PhysicalSizeXUnit": "nm",
    "PhysicalSizeY": 0.325,
    "PhysicalSizeYUnit": "µm",
    "Channel": {"Name": ["DAPI", "CD3", "CD8 & more"]},
}

READ: dict[str, Write] = {
    "grey.png": png(GREY),
    "rgb.png": png(RGB),
    "rgb16.png": png16(noise(33, 45, 3, dtype=np.uint16)),
    "grey16.png": png16(noise(33, 45, dtype=np.uint16)),
    "opaque.png": png(OPAQUE),
    "palette.png": lambda path: Pillow.fromarray(RGB).quantize(16).save(path),
    "bits.png": png(GREY > 128),
    "calibrated.png": png(GREY, dpi=(25400 / 0.325, 25400 / 0.325)),
    "grey.jpg": lambda path: Pillow.fromarray(GREY).save(path, format="JPEG"),
    "uint8.tif": tiff(GREY),
    "rgb.tif": tiff(RGB, photometric="rgb"),
    "planar.tif": tiff(noise(3, 33, 45), photometric="rgb", planarconfig="separate"),
    "opaque.tif": tiff(OPAQUE, photometric="rgb", extrasamples=["unassalpha"]),
    "white.tif": tiff(GREY, photometric="miniswhite"),
    **{f"{dtype}.tif": tiff(noise(33, 45, dtype=dtype)) for dtype in DTYPES},
    **{f"{one}.tif": tiff(DEEP, compression=one) for one in ("zlib", "lzw", "packbits", "zstd")},
    **{f"{one} predicted.tif": tiff(DEEP, compression=one, predictor=True) for one in ("zlib", "lzw")},
    "floats predicted.tif": tiff(noise(3, 33, 45, dtype=np.float32), compression="zlib", predictor=True),
    "big endian.tif": tiff(noise(33, 45, dtype=np.uint16), byteorder=">"),
    "big.tif": tiff(noise(33, 45, dtype=np.uint16), bigtiff=True),
    "tiled.tif": tiff(noise(2, 99, 150, dtype=np.uint16), tile=(32, 48)),
    "strips.tif": tiff(noise(99, 150, dtype=np.uint16), rowsperstrip=7),
    "axes.tif": tiff(noise(4, 33, 45), metadata={"axes": "CYX"}),
    "imagej.tif": tiff(DEEP, imagej=True, resolution=(2, 2), metadata=IMAGEJ),
    "ome.tif": tiff(DEEP, ome=True, metadata=OME),
    "cm.tif": tiff(GREY, resolution=(20_000, 20_000), resolutionunit="CENTIMETER"),
    "inch.tif": tiff(GREY, resolution=(50_800, 50_800), resolutionunit="INCH"),
    "printer.tif": tiff(GREY, resolution=(300, 300), resolutionunit="INCH"),
    "one pixel.tif": tiff(noise(1, 1)),
    "one row.tif": tiff(noise(3, 1, 45), metadata={"axes": "CYX"}),
    "pyramid.tif": pyramid,
    "palette.tif": tiff(GREY, photometric="palette", colormap=noise(3, 256, dtype=np.uint16)),
    "tints.tif": tiff(noise(2, 33, 45), photometric="palette", colormap=noise(3, 256, dtype=np.uint16)),
    "jpeg.tif": tiff(noise(99, 150, 3), photometric="ycbcr", compression="jpeg", tile=(64, 64), subsampling=(2, 2)),
    "jpeg rgb.tif": tiff(noise(99, 150, 3), photometric="rgb", compression="jpeg", tile=(64, 64)),
    "jpeg grey.tif": tiff(noise(99, 150), compression="jpeg", rowsperstrip=16),
}
"""Files that Python reads too."""


def huge_png(path: Path) -> None:
    """A few bytes that claim 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    content = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def huge_tiff(path: Path) -> None:
    """A TIFF whose tags claim more pixels than a page can hold."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GREY, photometric="minisblack", metadata=None)
    content = bytearray(buffer.getvalue())
    for tag in (256, 257):
        place = content.index(struct.pack("<H", tag), 8)
        content[place + 2 : place + 12] = struct.pack("<HII", 4, 1, 3_000_000)
    path.write_bytes(content)


def circle(path: Path) -> None:
    """A TIFF whose first page is followed by itself."""
    tifffile.imwrite(path, GREY, photometric="minisblack", metadata=None)
    content = bytearray(path.read_bytes())
    first = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, first)[0]
    struct.pack_into("<I", content, first + 2 + 12 * count, first)
    path.write_bytes(content)


def two_images(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        writer.write(noise(64, 64), photometric="minisblack", metadata=None)
        writer.write(noise(60, 60), photometric="minisblack", metadata=None)


def cmyk(path: Path) -> None:
    Pillow.merge("CMYK", [Pillow.fromarray(noise(33, 45)) for _ in range(4)]).save(path, format="JPEG")


def cut(write: Write, share: float) -> Write:
    """What is left of a file whose copy broke off."""

    def shortened(path: Path) -> None:
        write(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return shortened


def changed(write: Write) -> Write:
    """A file with a byte in its middle changed."""

    def damaged(path: Path) -> None:
        write(path)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)

    return damaged


WHOLE: dict[str, Write] = {
    "a.png": png(noise(99, 99, 3)),
    "a.tif": tiff(noise(99, 99, dtype=np.uint16)),
    "b.tif": tiff(noise(99, 99), compression="zlib"),
    "a.jpg": lambda path: Pillow.fromarray(noise(99, 99, 3)).save(path, format="JPEG"),
}
STACK = noise(5, 33, 45)
GLASSY = np.dstack([RGB, GREY])

REFUSED: dict[str, tuple[Write, str, str]] = {
    "notes.txt": (text("These are no pixels."), "is no PNG, JPEG or TIFF image", "Fiji"),
    "empty.png": (text(""), "is empty", "Copy it again"),
    "page.html": (text("<html></html>"), "is no PNG, JPEG or TIFF image", "Fiji"),
    "model.onnx": (text(b"\x08\x0a\x12\x07pytorch"), "is a model", "instanseg-export serve model.onnx"),
    "checkpoint.pt": (text(b"PK\x03\x04"), "is a model", "serve checkpoint.pt"),
    "huge.png": (huge_png, "60,000 x 60,000 pixels", "run --tiled"),
    "huge.tif": (huge_tiff, "3,000,000 x 3,000,000 pixels", "run --tiled"),
    "circle.tif": (circle, "pages", "Save one image alone"),
    "cmyk.jpg": (cmyk, "printer's colours", "Convert it"),
    "glassy.png": (png(GLASSY), "partly transparent", "Flatten"),
    "glassy.tif": (tiff(GLASSY, photometric="rgb", extrasamples=["unassalpha"]), "partly transparent", "Flatten"),
    "volume.tif": (tiff(STACK, imagej=True, metadata={"axes": "ZYX"}), "is a volume of 5 slices", "projection"),
    "volume.ome.tif": (tiff(STACK, ome=True, metadata={"axes": "ZYX"}), "is a volume of 5 slices", "projection"),
    "series.tif": (tiff(STACK, imagej=True, metadata={"axes": "TYX"}), "time series of 5", "one time point"),
    "angles.tif": (tiff(STACK, metadata={"axes": "AYX"}), "an axis A", "one plane per channel"),
    "two.tif": (two_images, "several images of similar sizes", "alone"),
    **{f"cut {part} {name}": (cut(write, part), "", "") for part in (0.02, 0.3, 0.9) for name, write in WHOLE.items()},
    "changed.png": (changed(WHOLE["a.png"]), "is damaged", "Save it again"),
    "changed.tif": (changed(WHOLE["b.tif"]), "is damaged", "Save it again"),
}
"""Files that are refused: how they are written, and words of the message and of the hint."""
