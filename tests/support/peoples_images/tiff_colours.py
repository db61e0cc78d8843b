"""TIFF files: what samples mean, how they are packed, and extra ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from support.peoples_images.parts import (
    FIVE,
    GREY,
    GREY16,
    GREYF,
    OPAQUE,
    RGB,
    RGB16,
    RGBA,
    RNG,
    SMOOTH,
    THREE,
    Kind,
    into,
    last,
    picture,
    scene_of,
    tiff,
)

__all__ = ["KINDS"]

KINDS: list[Kind] = []
_kind = into(KINDS)


def _lab(folder: Path) -> Path:
    Pillow.frombytes("LAB", (60, 44), last(RGB).tobytes()).save(folder / "lab.tif")
    return folder / "lab.tif"


for unsigned in (np.uint8, np.uint16):
    scene = scene_of(1, unsigned)
    white = (np.iinfo(unsigned).max - scene[0]).astype(unsigned)
    for compression in (None, "zlib"):
        _kind(
            f"tiff white is zero {np.dtype(unsigned).name} {compression}",
            tiff(white, photometric="miniswhite", compression=compression),
            scene,
            "inverted",
        )
_kind("tiff white is zero pages", tiff(65535 - THREE, photometric="miniswhite"), THREE, "inverted")
_kind("tiff white is zero float", tiff(GREYF[0], photometric="miniswhite"), None, "white is zero")
_kind("tiff white is zero int16", tiff(scene_of(1, np.int16)[0], photometric="miniswhite"), None, "white is zero")
_PALETTE = RNG.integers(0, 65536, (3, 256)).astype(np.uint16)
_kind(
    "tiff palette", tiff(GREY[0], photometric="palette", colormap=_PALETTE),
    (_PALETTE >> 8).astype(np.uint8)[:, GREY[0]], "palette",
)  # fmt: skip
_kind(
    "tiff palette of 8 bits", tiff(GREY[0], photometric="palette", colormap=_PALETTE >> 8),
    (_PALETTE >> 8).astype(np.uint8)[:, GREY[0]], "palette",
)  # fmt: skip
_kind("tiff cmyk", tiff(last(RGBA), photometric="separated"), None, "CMYK")
_kind("tiff cmyk by Pillow", picture(last(RGB), "image.tif", "CMYK"), None, "CMYK")
_kind("tiff cielab", tiff(last(RGB), photometric="cielab"), None, r"L\*a\*b\*")
_kind("tiff icclab", tiff(last(RGB), photometric="icclab"), None, r"L\*a\*b\*")
_kind("tiff lab by Pillow", lambda folder: _lab(folder), None, r"L\*a\*b\*")
_kind("tiff cfa", tiff(GREY16[0], photometric="cfa"), None, "colour filter|raw")
_kind("tiff ycbcr uncompressed", tiff(last(RGB), photometric="ycbcr"), None, "YCbCr")
_kind("tiff jpeg grey", tiff(GREY[0], compression="jpeg", compressionargs={"level": 98}), GREY, tolerance=12)


_kind(
    "tiff jpeg ycbcr",
    picture(last(SMOOTH), "a.tif", compression="jpeg", quality=98), SMOOTH, tolerance=8,
)  # fmt: skip
_kind(
    "tiff jpeg rgb",
    tiff(last(SMOOTH), photometric="rgb", compression="jpeg", compressionargs={"level": 98}), SMOOTH, tolerance=6,
)  # fmt: skip
_kind(
    "tiff jpeg tiles subsampled",
    tiff(
        np.asarray(Pillow.fromarray(last(SMOOTH)).convert("YCbCr")), photometric="ycbcr", compression="jpeg",
        tile=(16, 16), subsampling=(2, 2),
        compressionargs={"level": 98},
    ), SMOOTH, tolerance=14,
)  # fmt: skip
_kind("tiff jpeg 2000", tiff(last(RGB16), photometric="rgb", compression="jpeg2000"), RGB16)
_kind(
    "tiff webp",
    tiff(last(RGB), photometric="rgb", compression="webp", compressionargs={"level": 100}),
    RGB,
    tolerance=90,
)
_kind("tiff png", tiff(last(RGB), photometric="rgb", compression="png"), RGB)
_kind("tiff jpeg xl", tiff(last(RGB), photometric="rgb", compression="jpegxl"), None, "compressed")
for extra, name in ((["unassalpha"], "unassociated"), (["assocalpha"], "associated")):
    _kind(f"tiff {name} alpha, opaque", tiff(last(OPAQUE), photometric="rgb", extrasamples=extra), RGB, "alpha")
    _kind(f"tiff {name} alpha", tiff(last(RGBA), photometric="rgb", extrasamples=extra), None, "transparent")
_kind("tiff rgb + unspecified", tiff(last(RGBA), photometric="rgb", extrasamples=["unspecified"]), RGBA, "channels")
_kind(
    "tiff rgb + unspecified that is all 255", tiff(last(OPAQUE), photometric="rgb", extrasamples=["unspecified"]),
    OPAQUE, "channels",
)  # fmt: skip
_kind(
    "tiff grey + alpha, opaque",
    tiff(last(np.stack([GREY[0], np.full_like(GREY[0], 255)])), photometric="minisblack", extrasamples=["unassalpha"],
          planarconfig="contig"), GREY, "alpha",
)  # fmt: skip
_kind("tiff 5 samples", tiff(last(FIVE), photometric="minisblack", planarconfig="contig"), FIVE, "channels")
