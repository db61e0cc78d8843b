"""Small files as people's tools write them, each with what is right: its planes, or that it is refused.

What is expected comes from the array that was written, never from our reader. ``KINDS`` is a table of
(name, builder, expectation): the builder gets an empty folder and returns the path to read.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import imagecodecs
import numpy as np
import tifffile
from PIL import Image as Pillow

__all__ = ["KINDS", "Expectation", "Kind"]

_RNG = np.random.default_rng(11)


def _scene(channels: int, dtype: type, height: int = 44, width: int = 60) -> np.ndarray:
    """Blobs on noise, (C, H, W), over the whole range of a type."""
    rows, columns = np.mgrid[:height, :width]
    planes = []
    for channel in range(channels):
        plane = _RNG.uniform(0, 0.2, (height, width))
        for y, x in _RNG.integers(5, 40, (6, 2)):
            plane += 0.7 * np.exp(-((rows - y) ** 2 + (columns - x - 3 * channel) ** 2) / 18)
        planes.append(plane / plane.max())
    scene = np.stack(planes)
    if np.dtype(dtype).kind == "f":
        return scene.astype(dtype)
    limits = np.iinfo(dtype)
    # Floats have no room for the last digits of 64 bits.
    return (limits.min * 0.999 + scene * 0.999 * (float(limits.max) - limits.min)).astype(dtype)


GREY, GREY16, GREYF = _scene(1, np.uint8), _scene(1, np.uint16), _scene(1, np.float32)
TWO, THREE, FOUR, FIVE = (_scene(count, np.uint16) for count in (2, 3, 4, 5))
RGB, RGB16, RGBA = _scene(3, np.uint8), _scene(3, np.uint16), _scene(4, np.uint8)
OPAQUE = np.concatenate([RGB, np.full_like(GREY, 255)])


def last(planes: np.ndarray) -> np.ndarray:
    """Return (H, W, C)."""
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1))


@dataclass(frozen=True)
class Expectation:
    """What is right.

    Attributes:
        planes: (C, H, W), or (C, D, H, W); None if the file is to be refused.
        says: a pattern among the notes, or in the error's message.
        pixel_size: (y, x) in micrometres; None if unsaid or not understood.
        tolerance: of the values, for formats with loss.
        dimensions: 2 or 3.
        names: of the channels, where the file has them.
    """

    planes: np.ndarray | None
    says: str = ""
    pixel_size: tuple[float, float] | None = None
    tolerance: float = 0
    dimensions: int = 2
    names: tuple[str, ...] = ()


Kind = tuple[str, Callable[[Path], Path], Expectation]
KINDS: list[Kind] = []


def _kind(name: str, builder: Callable[[Path], Path], planes: np.ndarray | None, says: str = "", **more: Any) -> None:
    KINDS.append((name, builder, Expectation(planes, says, **more)))


def _tiff(array: np.ndarray, name: str = "image.tif", **options: Any) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        tifffile.imwrite(folder / name, array, **options)
        return folder / name

    return build


def _picture(array: np.ndarray, name: str, mode: str | None = None, **options: Any) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        picture = Pillow.fromarray(array)
        (picture.convert(mode) if mode else picture).save(folder / name, **options)
        return folder / name

    return build


# TIFF: layout of samples and pages

for compression in (None, "zlib", "lzw", "packbits", "zstd", "lzma"):
    for predictor in (False, True) if compression in ("zlib", "lzw", "zstd") else (False,):
        _kind(
            f"tiff uint16 {compression or 'uncompressed'}{' predictor' if predictor else ''}",
            _tiff(GREY16[0], compression=compression, predictor=predictor, photometric="minisblack"),
            GREY16,
        )
_kind("tiff float predictor", _tiff(GREYF[0], compression="zlib", predictor=3), GREYF)
_kind("tiff tiles", _tiff(RGB16[0], tile=(16, 16), compression="zlib"), RGB16[:1])
_kind("tiff tiles of colour", _tiff(last(RGB), tile=(32, 16), photometric="rgb"), RGB)
_kind("tiff tiles in planes", _tiff(RGB, tile=(16, 16), photometric="rgb", planarconfig="separate"), RGB)
_kind("tiff planes in strips", _tiff(RGB, rowsperstrip=7, photometric="rgb", planarconfig="separate"), RGB)
_kind("tiff strips of 7 rows", _tiff(last(RGB), rowsperstrip=7, photometric="rgb", compression="lzw"), RGB)
_kind("tiff big-endian", _tiff(last(RGB16), byteorder=">", photometric="rgb"), RGB16)
_kind("tiff big-endian deflate predictor", _tiff(GREY16[0], byteorder=">", compression="zlib", predictor=True), GREY16)
_kind("bigtiff", _tiff(THREE, bigtiff=True, photometric="minisblack"), THREE, "three pages without axes")
for dtype in (np.uint8, np.int8, np.int16, np.uint32, np.int32, np.uint64, np.float16, np.float32, np.float64):
    scene = _scene(1, dtype)
    _kind(f"tiff {np.dtype(dtype).name}", _tiff(scene[0]), scene)
_kind("tiff complex", _tiff(GREYF[0].astype(np.complex64)), None, "complex")
_kind("tiff bool", _tiff(GREY[0] > 90, photometric="minisblack"), GREY > 90)
_kind("tiff bool white is zero", _tiff(GREY[0] > 90, photometric="miniswhite"), GREY <= 90, "inverted")
_kind(
    "tiff pages of 2 without axes", _tiff(TWO, photometric="minisblack", metadata=None), TWO, "two pages without axes"
)
_kind(
    "tiff one page, channels last", _tiff(last(FOUR), photometric="minisblack", planarconfig="contig"), FOUR, "four|4"
)
_kind("tiff default (Y, X, 2)", _tiff(last(TWO)), TWO, "last|samples")
_kind("tiff default (Y, X, 5)", _tiff(last(FIVE)), FIVE, "last|samples")
_kind("tiff (Y, X, 2) without any metadata", _tiff(last(TWO), metadata=None, photometric="minisblack"), TWO, "last")
_kind("tiff (Y, X, 1)", _tiff(last(GREY16)), GREY16)
_kind("tiff (1, Y, X)", _tiff(GREY16), GREY16)
_kind("tiff axes CYX", _tiff(FIVE, metadata={"axes": "CYX"}, photometric="minisblack"), FIVE)
_kind("tiff axes YXC", _tiff(last(TWO), metadata={"axes": "YXC"}, photometric="minisblack", planarconfig="contig"), TWO)
_kind("tiff axes ZYX", _tiff(THREE, metadata={"axes": "ZYX"}, photometric="minisblack"), None, "volume")
_kind("tiff axes TYX", _tiff(THREE, metadata={"axes": "TYX"}, photometric="minisblack"), None, "time series")
_kind("tiff 200 pages without axes", _tiff(_scene(200, np.uint8), photometric="minisblack"), None, "200 pages")
_kind("tiff pages of colour", _tiff(np.stack([last(RGB)] * 3), photometric="rgb"), None, "samples per pixel")
_kind(
    "tiff volume", _tiff(THREE, metadata={"axes": "ZYX"}, photometric="minisblack"), THREE[None], dimensions=3
)  # fmt: skip
_kind("tiff volume without axes", _tiff(THREE, photometric="minisblack"), THREE[None], "slices", dimensions=3)
_kind(
    "tiff truncated metadata", _tiff(THREE, metadata={"axes": "CYX", "truncate": True}, photometric="minisblack"), THREE
)

# TIFF: photometric, extra samples


def _lab(folder: Path) -> Path:
    Pillow.frombytes("LAB", (60, 44), last(RGB).tobytes()).save(folder / "lab.tif")
    return folder / "lab.tif"


for unsigned in (np.uint8, np.uint16):
    scene = _scene(1, unsigned)
    white = (np.iinfo(unsigned).max - scene[0]).astype(unsigned)
    for compression in (None, "zlib"):
        _kind(
            f"tiff white is zero {np.dtype(unsigned).name} {compression}",
            _tiff(white, photometric="miniswhite", compression=compression),
            scene,
            "inverted",
        )
_kind("tiff white is zero pages", _tiff(65535 - THREE, photometric="miniswhite"), THREE, "inverted")
_kind("tiff white is zero float", _tiff(GREYF[0], photometric="miniswhite"), None, "white is zero")
_kind("tiff white is zero int16", _tiff(_scene(1, np.int16)[0], photometric="miniswhite"), None, "white is zero")
_PALETTE = _RNG.integers(0, 65536, (3, 256)).astype(np.uint16)
_kind(
    "tiff palette", _tiff(GREY[0], photometric="palette", colormap=_PALETTE),
    (_PALETTE >> 8).astype(np.uint8)[:, GREY[0]], "palette",
)  # fmt: skip
_kind(
    "tiff palette of 8 bits", _tiff(GREY[0], photometric="palette", colormap=_PALETTE >> 8),
    (_PALETTE >> 8).astype(np.uint8)[:, GREY[0]], "palette",
)  # fmt: skip
_kind("tiff cmyk", _tiff(last(RGBA), photometric="separated"), None, "CMYK")
_kind("tiff cmyk by Pillow", _picture(last(RGB), "image.tif", "CMYK"), None, "CMYK")
_kind("tiff cielab", _tiff(last(RGB), photometric="cielab"), None, r"L\*a\*b\*")
_kind("tiff icclab", _tiff(last(RGB), photometric="icclab"), None, r"L\*a\*b\*")
_kind("tiff lab by Pillow", lambda folder: _lab(folder), None, r"L\*a\*b\*")
_kind("tiff cfa", _tiff(GREY16[0], photometric="cfa"), None, "colour filter|raw")
_kind("tiff ycbcr uncompressed", _tiff(last(RGB), photometric="ycbcr"), None, "YCbCr")
_kind("tiff jpeg grey", _tiff(GREY[0], compression="jpeg", compressionargs={"level": 98}), GREY, tolerance=12)
_SMOOTH = np.stack([np.add.outer(np.arange(48), np.arange(64)) + 20 * channel for channel in range(3)]).astype(np.uint8)
_kind(
    "tiff jpeg ycbcr",
    _picture(last(_SMOOTH), "a.tif", compression="jpeg", quality=98), _SMOOTH, tolerance=8,
)  # fmt: skip
_kind(
    "tiff jpeg rgb",
    _tiff(last(_SMOOTH), photometric="rgb", compression="jpeg", compressionargs={"level": 98}), _SMOOTH, tolerance=6,
)  # fmt: skip
_kind(
    "tiff jpeg tiles subsampled",
    _tiff(
        np.asarray(Pillow.fromarray(last(_SMOOTH)).convert("YCbCr")), photometric="ycbcr", compression="jpeg",
        tile=(16, 16), subsampling=(2, 2),
        compressionargs={"level": 98},
    ), _SMOOTH, tolerance=14,
)  # fmt: skip
_kind("tiff jpeg 2000", _tiff(last(RGB16), photometric="rgb", compression="jpeg2000"), RGB16)
_kind(
    "tiff webp",
    _tiff(last(RGB), photometric="rgb", compression="webp", compressionargs={"level": 100}),
    RGB,
    tolerance=90,
)
_kind("tiff png", _tiff(last(RGB), photometric="rgb", compression="png"), RGB)
_kind("tiff jpeg xl", _tiff(last(RGB), photometric="rgb", compression="jpegxl"), None, "compressed")
for extra, name in ((["unassalpha"], "unassociated"), (["assocalpha"], "associated")):
    _kind(f"tiff {name} alpha, opaque", _tiff(last(OPAQUE), photometric="rgb", extrasamples=extra), RGB, "alpha")
    _kind(f"tiff {name} alpha", _tiff(last(RGBA), photometric="rgb", extrasamples=extra), None, "transparent")
_kind("tiff rgb + unspecified", _tiff(last(RGBA), photometric="rgb", extrasamples=["unspecified"]), RGBA, "channels")
_kind(
    "tiff rgb + unspecified that is all 255", _tiff(last(OPAQUE), photometric="rgb", extrasamples=["unspecified"]),
    OPAQUE, "channels",
)  # fmt: skip
_kind(
    "tiff grey + alpha, opaque",
    _tiff(last(np.stack([GREY[0], np.full_like(GREY[0], 255)])), photometric="minisblack", extrasamples=["unassalpha"],
          planarconfig="contig"), GREY, "alpha",
)  # fmt: skip
_kind("tiff 5 samples", _tiff(last(FIVE), photometric="minisblack", planarconfig="contig"), FIVE, "channels")

# TIFF: packed bits, by hand since few tools write them


def _packed(values: np.ndarray, bits: int, photometric: int = 1) -> Callable[[Path], Path]:
    """Write one strip of an image (H, W) with ``bits`` per sample."""

    def build(folder: Path) -> Path:
        rows = []
        for row in values:
            stream = "".join(format(int(value), f"0{bits}b") for value in row)
            stream += "0" * (-len(stream) % 8)
            rows.append(bytes(int(stream[i : i + 8], 2) for i in range(0, len(stream), 8)))
        data = b"".join(rows)
        height, width = values.shape
        tags = [
            (256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 8),
            (277, 3, 1), (278, 4, height), (279, 4, len(data)),
        ]  # fmt: skip
        pad = b"\0" * (len(data) % 2)
        table = b"".join(struct.pack("<HHII", code, kind, 1, value) for code, kind, value in tags)
        offset = 8 + len(data) + len(pad)
        header = struct.pack("<2sHI", b"II", 42, offset)
        (folder / "packed.tif").write_bytes(header + data + pad + struct.pack("<H", len(tags)) + table + b"\0\0\0\0")
        return folder / "packed.tif"

    return build


for bits in (2, 4, 10, 12, 14):
    packed = (GREY16[0] >> (16 - bits)).astype(np.uint8 if bits <= 8 else np.uint16)
    _kind(f"tiff {bits} bits", _packed(packed, bits), packed[None])
    _kind(
        f"tiff {bits} bits white is zero", _packed(2**bits - 1 - packed.astype(int), bits, 0), packed[None], "inverted"
    )

# TIFF and pictures: orientation. The expected image is turned with numpy, as the standard's words say

_TURNED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.T,
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).T,
    8: lambda upright: np.rot90(upright, -1),
}
"""What is stored for an upright image; a viewer turns it back."""
for orientation, turn in _TURNED.items():
    _kind(
        f"tiff orientation {orientation}",
        _tiff(np.ascontiguousarray(turn(GREY16[0])), extratags=[(274, "H", 1, orientation, True)]),
        GREY16,
        "orientation",
    )


def _exif(orientation: int, name: str, **options: Any) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        picture = Pillow.fromarray(np.ascontiguousarray(_TURNED[orientation](_SMOOTH[0])))
        exif = picture.getexif()
        exif[274] = orientation
        picture.save(folder / name, exif=exif, **options)
        return folder / name

    return build


for orientation in (3, 6, 8):
    _kind(f"jpeg exif {orientation}", _exif(orientation, "a.jpg", quality=98), _SMOOTH[:1], "orientation", tolerance=4)
_kind("png exif 6", _exif(6, "a.png"), _SMOOTH[:1], "orientation")

# TIFF: what programs say of pixels

_MICRONS = {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.25, "PhysicalSizeYUnit": "µm"}
_SQUARE = (0.25, 0.25)
_kind(
    "ome", _tiff(THREE, "a.ome.tif", metadata={"axes": "CYX", "Channel": {"Name": ["DAPI", "CD3", "CD8"]}, **_MICRONS}),
    THREE, pixel_size=_SQUARE, names=("DAPI", "CD3", "CD8"),
)  # fmt: skip
_kind("ome rgb", _tiff(last(RGB), "a.ome.tif", photometric="rgb", metadata={"axes": "YXS"}), RGB)
_kind("ome not square", _tiff(GREY16[0], "a.ome.tif", metadata={**_MICRONS, "PhysicalSizeY": 0.3}), GREY16,
      "not square", pixel_size=(0.3, 0.25))  # fmt: skip
for unit, value in (("nm", 250), ("mm", 0.00025), ("Å", 2500), ("m", 2.5e-7), ("in", 0.25 / 25400), ("pm", 250000)):
    _kind(
        f"ome {unit}",
        _tiff(GREY16[0], "a.ome.tif", metadata={
            "PhysicalSizeX": value, "PhysicalSizeXUnit": unit, "PhysicalSizeY": value, "PhysicalSizeYUnit": unit}),
        GREY16, pixel_size=_SQUARE,
    )  # fmt: skip
for unit in ("reference frame", "furlong"):
    _kind(
        f"ome {unit}",
        _tiff(GREY16[0], "a.ome.tif", metadata={
            "PhysicalSizeX": 2, "PhysicalSizeXUnit": unit, "PhysicalSizeY": 2, "PhysicalSizeYUnit": unit}),
        GREY16, "not understood",
    )  # fmt: skip
for size in ("0", "-1", "nan", "inf", "1e308", "wide"):
    _kind(
        f"ome size {size}",
        _tiff(GREY16[0], "a.ome.tif", metadata={"PhysicalSizeX": size, "PhysicalSizeY": size}),
        GREY16, "not understood",
    )  # fmt: skip
for unit in ("um", "\\u00B5m", "micron", "microns", "micrometer", "micrometre"):
    _kind(f"imagej {unit}", _tiff(GREY16[0], imagej=True, resolution=(4, 4), metadata={"unit": unit}), GREY16,
          pixel_size=_SQUARE)  # fmt: skip
for unit, per in (("nm", 0.004), ("nanometer", 0.004), ("mm", 4000), ("cm", 40000), ("inch", 101600)):
    _kind(f"imagej {unit}", _tiff(GREY16[0], imagej=True, resolution=(per, per), metadata={"unit": unit}), GREY16,
          pixel_size=_SQUARE)  # fmt: skip
for unit in ("pixel", "pixels", ""):
    _kind(f"imagej unit {unit!r}", _tiff(GREY16[0], imagej=True, resolution=(1, 1), metadata={"unit": unit}), GREY16)
_kind(
    "imagej µm in Latin-1",
    _tiff(GREY16[0], description="ImageJ=1.53t\nunit=\xb5m\n".encode("latin-1"), metadata=None, resolution=(4, 4),
          resolutionunit="NONE"), GREY16, pixel_size=_SQUARE,
)  # fmt: skip
_kind("imagej unit parrot", _tiff(GREY16[0], imagej=True, resolution=(4, 4), metadata={"unit": "parrot"}), GREY16,
      "not understood")  # fmt: skip
_kind("imagej channels", _tiff(THREE, imagej=True, metadata={"axes": "CYX"}), THREE)
_kind("imagej slices", _tiff(THREE, imagej=True, metadata={"axes": "ZYX"}), None, "volume")
_kind("imagej frames", _tiff(THREE, imagej=True, metadata={"axes": "TYX"}), None, "time series")
for kind in ("images=3\nslices=3", "images=5\nchannels=5"):
    _kind(
        f"imagej, a page for {kind!r}",
        _tiff(GREY16[0], description=f"ImageJ=1.54f\n{kind}\n", metadata=None), None, "planes",
    )  # fmt: skip
_kind(
    "imagej, a count that is wrong", _tiff(GREY16[0], description="ImageJ=1.54f\nimages=3\n", metadata=None),
    GREY16, "room for fewer",
)  # fmt: skip


def _one_page_for_three(folder: Path) -> Path:
    """Write what ImageJ writes of large stacks: a page, and more planes behind it."""
    tifffile.imwrite(folder / "a.tif", GREY16[0], description="ImageJ=1.54f\nimages=3\n", metadata=None)
    with (folder / "a.tif").open("ab") as stream:
        stream.write(THREE[1:].tobytes())
    return folder / "a.tif"


_kind("imagej, planes behind the first", _one_page_for_three, None, "3 planes")
_kind("imagej rgb", _tiff(last(RGB), imagej=True), RGB)
_kind("tags per cm", _tiff(GREY16[0], resolution=(40000, 40000), resolutionunit="CENTIMETER"), GREY16,
      pixel_size=_SQUARE)  # fmt: skip
_kind("tags per inch", _tiff(GREY16[0], resolution=(101600, 101600), resolutionunit="INCH"), GREY16, pixel_size=_SQUARE)
_kind("tags not square", _tiff(GREY16[0], resolution=(40000, 20000), resolutionunit="CENTIMETER"), GREY16,
      "not square", pixel_size=(0.5, 0.25))  # fmt: skip
for dots in (72, 96, 300, 600, 1200, 2400):
    _kind(f"tags {dots} dpi", _tiff(GREY16[0], resolution=(dots, dots), resolutionunit="INCH"), GREY16)
_kind("aperio mpp", _tiff(last(RGB), photometric="rgb", description="Aperio Image Library v12\r\n60x44|MPP = 0.25",
                          metadata=None), RGB, pixel_size=_SQUARE)  # fmt: skip


# TIFF: several images, several files


def _several(folder: Path, images: list[tuple[np.ndarray, dict[str, Any]]], ome: bool) -> Path:
    path = folder / ("several.ome.tif" if ome else "several.tif")
    with tifffile.TiffWriter(path, ome=ome) as writer:
        for image, options in images:
            writer.write(image, **options)
    return path


_SMALL = np.ascontiguousarray(last(RGB)[::5, ::5])
_BIG = np.tile(last(RGB), (2, 2, 1))
for ome in (True, False):
    kind = "ome" if ome else "plain"
    for name, order in (("first", (_SMALL, _BIG)), ("last", (_BIG, _SMALL))):
        _kind(
            f"{kind} overview {name}",
            partial(_several, images=[(one, {"photometric": "rgb"}) for one in order], ome=ome),
            np.moveaxis(_BIG, -1, 0),
            "2 images",
        )
    _kind(
        f"{kind} two fields",
        partial(_several, images=[(THREE[0], {}), (THREE[1], {})], ome=ome), None if ome else THREE[:2],
        "2 images of one size" if ome else "",
    )  # fmt: skip
KINDS.pop()  # without OME-XML two images of one size are two pages, which is another kind
_kind(
    "pyramid in sub-images",
    lambda folder: _several(
        folder,
        [(THREE, {"subifds": 1, "metadata": {"axes": "CYX"}}), (THREE[:, ::2, ::2], {"subfiletype": 1})],
        True,
    ),
    THREE,
)
_kind(
    "pyramid in pages",
    lambda folder: _several(
        folder,
        [(_BIG, {"photometric": "rgb"})]
        + [(_BIG[::step, ::step], {"photometric": "rgb", "subfiletype": 1}) for step in (2, 4)],
        False,
    ),
    np.moveaxis(_BIG, -1, 0),
)


def _set_of_files(lose: int | None = None, climb: bool = False, compression: str | None = "zlib") -> Any:
    """One file per channel, as OME-TIFF writes sets: each lists all."""

    def build(folder: Path) -> Path:
        names = [f"{'../' if climb and index else ''}ch{index}.ome.tif" for index in range(3)]
        data = "".join(
            f'<TiffData FirstC="{index}" FirstT="0" FirstZ="0" IFD="0" PlaneCount="1">'
            f'<UUID FileName="{name}">urn:uuid:0000000{index}-0000-0000-0000-000000000000</UUID></TiffData>'
            for index, name in enumerate(names)
        )
        channels = "".join(f'<Channel ID="Channel:0:{i}" Name="c{i}" SamplesPerPixel="1"/>' for i in range(3))
        for index in range(3):
            xml = (
                '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
                f'UUID="urn:uuid:0000000{index}-0000-0000-0000-000000000000"><Image ID="Image:0"><Pixels ID="Pixels:0" '
                'DimensionOrder="XYCZT" Type="uint16" SizeX="60" SizeY="44" SizeC="3" SizeZ="1" SizeT="1" '
                f'PhysicalSizeX="0.25" PhysicalSizeY="0.25">{channels}{data}</Pixels></Image></OME>'
            )
            tifffile.imwrite(
                folder / f"ch{index}.ome.tif", THREE[index], description=xml, metadata=None,
                compression=compression if index == 0 else None,
            )  # fmt: skip
        if lose is not None:
            (folder / f"ch{lose}.ome.tif").unlink()
        return folder / "ch0.ome.tif"

    return build


_kind("ome set of files", _set_of_files(), THREE, pixel_size=_SQUARE, names=("c0", "c1", "c2"))
_kind("ome set, one lost", _set_of_files(lose=2), None, "ch2.ome.tif is missing")
_kind("ome set that climbs out", _set_of_files(climb=True), None, "outside of its folder")

# Everyday pictures

_kind("png grey", _picture(GREY[0], "a.png"), GREY)
_kind("png grey 16", _picture(GREY16[0], "a.png"), GREY16)
_kind("png rgb", _picture(last(RGB), "a.png"), RGB)
_kind("png rgba, opaque", _picture(last(OPAQUE), "a.png"), RGB, "alpha")
_kind("png rgba", _picture(last(RGBA), "a.png"), None, "transparent")
_kind("png bool", _picture(GREY[0] > 90, "a.png"), GREY > 90)
_INDEXED = Pillow.fromarray(last(RGB)).quantize(32)
_COLOURED = np.moveaxis(np.asarray(_INDEXED.convert("RGB")), -1, 0)


def _saved(picture: Pillow.Image, name: str) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        picture.save(folder / name)
        return folder / name

    return build


for suffix in ("png", "gif", "bmp", "tif"):
    _kind(
        f"{suffix} palette",
        _saved(_INDEXED, f"a.{suffix}"),
        _COLOURED,
        "palette",
    )


def _png_16(planes: np.ndarray) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        (folder / "deep.png").write_bytes(imagecodecs.png_encode(last(planes)))
        return folder / "deep.png"

    return build


_kind("png rgb 16", _png_16(RGB16), RGB16)
_kind("png rgba 16, opaque", _png_16(np.concatenate([RGB16, np.full_like(GREY16, 65535)])), RGB16, "alpha")


def _png(planes: np.ndarray, bits: int, colours: int, transparent: tuple[int, ...] = ()) -> Callable[[Path], Path]:
    """Write a PNG with a colour that stands for nothing (tRNS), or with few bits: no tool here writes those."""

    def build(folder: Path) -> Path:
        rows = b""
        for row in last(planes).astype(">u2" if bits == 16 else np.uint8):
            data = np.unpackbits(row.reshape(-1, 1).view(np.uint8), axis=1)[:, -bits:] if bits < 8 else row
            rows += b"\0" + (np.packbits(data).tobytes() if bits < 8 else data.tobytes())
        header = struct.pack(">IIBBBBB", planes.shape[2], planes.shape[1], bits, colours, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        if transparent:
            chunks.insert(1, (b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)))
        (folder / "hand.png").write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + b"".join(
                struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
                for name, data in chunks
            )
        )
        return folder / "hand.png"

    return build


for bits, deep in ((8, (GREY, RGB)), (16, (GREY16, RGB16))):
    for planes, colours in zip(deep, (0, 2), strict=True):
        used = tuple(int(value) for value in planes[:, 3, 4])
        unused = (int(np.setdiff1d(np.arange(2**bits), planes)[0]),) * len(planes)
        name = f"png of {len(planes)} x {bits} bits"
        _kind(f"{name}, a colour transparent", _png(planes, bits, colours, used), None, "transparent")
        _kind(f"{name}, an unused colour transparent", _png(planes, bits, colours, unused), planes, "alpha")
for bits in (2, 4):
    few = GREY >> (8 - bits)
    _kind(f"png grey {bits} bits", _png(few, bits, 0), few * np.uint8(255 // (2**bits - 1)), "stretched")


def _interlaced(folder: Path) -> Path:
    """Write a PNG by Adam7, whose seven passes no tool here writes."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = b"".join(
        b"\0" + GREY[0][row, x::dx].tobytes() for y, x, dy, dx in passes for row in range(y, GREY.shape[1], dy)
    )
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", GREY.shape[2], GREY.shape[1], 8, 0, 0, 0, 1)),
        (b"IDAT", zlib.compress(rows)), (b"IEND", b""),
    ]  # fmt: skip
    (folder / "adam7.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )
    )
    return folder / "adam7.png"


_kind("png interlaced", _interlaced, GREY)
_kind("png 300 dpi", _picture(GREY[0], "a.png", dpi=(300, 300)), GREY)
_kind("jpeg", _picture(last(_SMOOTH), "a.jpg", quality=98, subsampling=0), _SMOOTH, tolerance=5)
_kind("jpeg grey", _picture(_SMOOTH[0], "a.jpg", quality=98), _SMOOTH[:1], tolerance=4)
_kind("jpeg cmyk", _picture(last(_SMOOTH), "a.jpg", "CMYK", quality=98), None, "CMYK")
_kind("jpeg 2000", _picture(last(RGB), "a.jp2"), RGB)
_kind("jpeg 2000 grey 16", _picture(GREY16[0], "a.jp2"), GREY16)
_kind("webp lossless", _picture(last(RGB), "a.webp", lossless=True), RGB)
_kind("bmp", _picture(last(RGB), "a.bmp"), RGB)
_kind("ppm", _picture(last(RGB), "a.ppm"), RGB)
_kind("pgm", _picture(GREY[0], "a.pgm"), GREY)


def _jpeg_2000_16(folder: Path) -> Path:
    (folder / "deep.jp2").write_bytes(imagecodecs.jpeg2k_encode(last(RGB16), level=0, reversible=True))
    return folder / "deep.jp2"


_kind("jpeg 2000 rgb 16", _jpeg_2000_16, RGB16)


def _jpeg_2000(planes: np.ndarray, bits: int) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        samples = planes[0] if len(planes) == 1 else last(planes)
        data = imagecodecs.jpeg2k_encode(samples, level=0, reversible=True, bitspersample=bits)
        (folder / "bits.jp2").write_bytes(data)
        return folder / "bits.jp2"

    return build


for bits in (10, 12, 14, 16):
    for planes in (GREY16, RGB16):
        few = planes >> (16 - bits)
        _kind(f"jpeg 2000 {len(planes)} x {bits} bits", _jpeg_2000(few, bits), few)
_kind("jpeg 2000 of 4 bits", _jpeg_2000(GREY >> 4, 4), None, "4 bits")


def _frames(name: str) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        first, second = Pillow.fromarray(last(RGB)), Pillow.fromarray(255 - last(RGB))
        first.save(folder / name, save_all=True, append_images=[second], duration=100)
        return folder / name

    return build


for name in ("moving.gif", "moving.png", "moving.webp"):
    _kind(f"{name.split('.')[1]} of two frames", _frames(name), None, "2 frames")

# Files of other kinds


def _content(name: str, content: bytes) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return build


_NPY = io.BytesIO()
np.save(_NPY, RGB)
for name, content, says in (
    ("image.czi", b"ZISRAWFILE" + bytes(600), "CZI"),
    ("image.nd2", b"\xda\xce\xbe\x0a" + bytes(600), "ND2"),
    ("image.lif", b"\x70\0\0\0\x10\0\0\0\x2a" + bytes(600), "LIF"),
    ("image.oib", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "OIB"),
    ("image.h5", b"\x89HDF\r\n\x1a\n" + bytes(600), "HDF5"),
    ("image.npy", _NPY.getvalue(), "NumPy"),
    ("image.zarr.zip", b"PK\x03\x04" + bytes(600), "zip"),
    ("image.dcm", bytes(128) + b"DICM" + bytes(600), "DICOM"),
    ("image.pdf", b"%PDF-1.7" + bytes(600), "PDF"),
    ("image.txt", b"not an image at all", "kind that cannot be read"),
):
    _kind(name, _content(name, content), None, says)

# Zarr

_SPACE = {"t": "time", "z": "space", "c": "channel", "y": "space", "x": "space"}


def ome_zarr(
    array: np.ndarray,
    axes: str = "cyx",
    version: str = "0.4",
    *,
    scale: float | tuple[float, float] | None = 0.25,
    whole: float | None = None,
    unit: str | None = "micrometer",
    labels: tuple[str, ...] = (),
    lose: str | None = None,
    **options: Any,
) -> Callable[[Path], Path]:
    """Return a builder of an NGFF image, with the scale at the level, the whole, or both."""

    def transformations(factor: float | tuple[float, float] | None) -> dict[str, Any]:
        if factor is None:
            return {}
        y, x = factor if isinstance(factor, tuple) else (factor, factor)
        values = [{"y": y, "x": x}.get(axis, 1.0) for axis in axes]
        return {
            "coordinateTransformations": [
                {"type": "scale", "scale": values},
                {"type": "translation", "translation": [7.0] * len(axes)},
            ]
        }

    def build(folder: Path) -> Path:
        import zarr

        path = folder / "image.ome.zarr"
        group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
        group.create_array("0", data=array, **options)
        named: list[Any] = [
            {"name": axis, "type": _SPACE[axis], **({"unit": unit} if unit and _SPACE[axis] == "space" else {})}
            for axis in axes
        ]
        multiscale: dict[str, Any] = {
            "version": version, "datasets": [{"path": "0", **transformations(scale)}], **transformations(whole)
        }  # fmt: skip
        if version == "0.3":
            named = list(axes)
        if version not in ("0.1", "0.2"):
            multiscale["axes"] = named
        attributes: dict[str, Any] = {"multiscales": [multiscale]}
        if labels:
            attributes["omero"] = {"channels": [{"label": label} for label in labels]}
        group.attrs.update({"ome": {"version": version, **attributes}} if version == "0.5" else attributes)
        if lose:
            next(path.glob(lose)).unlink()
        return path

    return build


for version in ("0.4", "0.5"):
    _kind(f"ome-zarr {version}", ome_zarr(THREE, version=version, labels=("a", "b", "c")), THREE, pixel_size=_SQUARE,
          names=("a", "b", "c"))  # fmt: skip
    _kind(f"ome-zarr {version} tczyx", ome_zarr(THREE[None, :, None], "tczyx", version), THREE, pixel_size=_SQUARE)
    _kind(f"ome-zarr {version} scale of the whole", ome_zarr(THREE, version=version, scale=1.0, whole=0.25), THREE,
          pixel_size=_SQUARE)  # fmt: skip
    _kind(f"ome-zarr {version} scales multiplied", ome_zarr(THREE, version=version, scale=0.5, whole=0.5), THREE,
          pixel_size=_SQUARE)  # fmt: skip
    _kind(f"ome-zarr {version} volume", ome_zarr(THREE, "zyx", version), None, "volume")
    _kind(f"ome-zarr {version} time", ome_zarr(THREE, "tyx", version), None, "time series")
for version in ("0.1", "0.2", "0.3"):
    _kind(f"ome-zarr {version}", ome_zarr(THREE[None, :, None], "tczyx", version, scale=None), THREE)
_kind("ome-zarr as a volume", ome_zarr(THREE, "zyx"), THREE[None], dimensions=3, pixel_size=_SQUARE)
_kind("ome-zarr nanometer", ome_zarr(THREE, scale=250.0, unit="nanometer"), THREE, pixel_size=_SQUARE)
_kind("ome-zarr not square", ome_zarr(THREE, scale=(0.3, 0.25)), THREE, "not square", pixel_size=(0.3, 0.25))
_kind("ome-zarr without unit", ome_zarr(THREE, unit=None), THREE, "not understood")
_kind("ome-zarr axes yxc", ome_zarr(last(THREE), "yxc"), THREE, pixel_size=_SQUARE)
_kind("ome-zarr big-endian", ome_zarr(THREE.astype(">u2"), "cyx"), THREE, pixel_size=_SQUARE)
_kind("ome-zarr shards", ome_zarr(FOUR, version="0.5", chunks=(1, 11, 15), shards=(2, 44, 60)), FOUR,
      pixel_size=_SQUARE)  # fmt: skip
_HOLE = THREE.copy()
_HOLE[0, :22, :30] = 0
_kind("ome-zarr missing chunk", ome_zarr(THREE, chunks=(1, 22, 30), lose="0/0.0.0"), _HOLE, "lacks 1 of 12 chunks",
      pixel_size=_SQUARE)  # fmt: skip


def _zarr_array(array: np.ndarray, version: Literal[2, 3], names: list[str] | None = None) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        import zarr

        options: dict[str, Any] = {"dimension_names": names} if names and version == 3 else {}
        stored = zarr.create_array(folder / "array.zarr", data=array, zarr_format=version, **options)
        if names and version == 2:
            stored.attrs["_ARRAY_DIMENSIONS"] = names
        return folder / "array.zarr"

    return build


def _coarse_first(folder: Path) -> Path:
    """Write a pyramid whose levels are in the wrong order."""
    import zarr

    path = ome_zarr(THREE)(folder)
    group = zarr.open_group(path, mode="r+")
    group.create_array("1", data=np.ascontiguousarray(THREE[:, ::2, ::2]))
    attributes: dict[str, Any] = dict(group.attrs)
    datasets = attributes["multiscales"][0]["datasets"]
    coarse = {"path": "1", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 0.5, 0.5]}]}
    attributes["multiscales"][0]["datasets"] = [coarse, *datasets]
    group.attrs.update(attributes)
    return path


_kind("ome-zarr, coarse level first", _coarse_first, THREE, "finest", pixel_size=_SQUARE)

_ZARRS: tuple[Literal[2, 3], ...] = (2, 3)
for form in _ZARRS:
    _kind(f"zarr {form} array (Y, X)", _zarr_array(GREY16[0], form), GREY16, "plain Zarr array")
    _kind(f"zarr {form} array (C, Y, X)", _zarr_array(THREE, form), THREE, "taken for c, y, x")
    _kind(f"zarr {form} array (Y, X, C)", _zarr_array(last(THREE), form), THREE, "taken for y, x, c")
    _kind(
        f"zarr {form} array with names",
        _zarr_array(last(TWO), form, ["y", "x", "c"]),
        TWO,
        "plain Zarr array",
    )
    _kind(f"zarr {form} array (Z, Y, X) named", _zarr_array(TWO, form, ["z", "y", "x"]), None, "volume")


def _plate(folder: Path) -> Path:
    (folder / "plate.zarr/A").mkdir(parents=True)
    (folder / "plate.zarr/.zgroup").write_text('{"zarr_format": 2}')
    (folder / "plate.zarr/.zattrs").write_text(json.dumps({"plate": {"wells": []}}))
    return folder / "plate.zarr"


def _collection(count: int) -> Callable[[Path], Path]:
    """Return a builder of what bioformats2raw writes."""

    def build(folder: Path) -> Path:
        path = folder / "raw.zarr"
        (path / "OME").mkdir(parents=True)
        (path / ".zgroup").write_text('{"zarr_format": 2}')
        (path / ".zattrs").write_text('{"bioformats2raw.layout": 3}')
        for index in range(count):
            (folder / str(index)).mkdir()
            ome_zarr(THREE)(folder / str(index)).rename(path / str(index))
        return path

    return build


_kind("ome-zarr plate", _plate, None, "plate")
_kind("bioformats2raw, one image", _collection(1), THREE, "collection of one image", pixel_size=_SQUARE)
_kind("bioformats2raw, two images", _collection(2), None, "collection")
_kind("folder of nothing", lambda folder: folder, None, "no OME-Zarr")
