"""TIFF files: what programs say of pixels."""

from __future__ import annotations

from pathlib import Path

import tifffile

from support.peoples_images.parts import (
    GREY16,
    RGB,
    SQUARE,
    THREE,
    Kind,
    into,
    last,
    tiff,
)

__all__ = ["KINDS"]

KINDS: list[Kind] = []
_kind = into(KINDS)


_MICRONS = {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.25, "PhysicalSizeYUnit": "µm"}


_kind(
    "ome", tiff(THREE, "a.ome.tif", metadata={"axes": "CYX", "Channel": {"Name": ["DAPI", "CD3", "CD8"]}, **_MICRONS}),
    THREE, pixel_size=SQUARE, names=("DAPI", "CD3", "CD8"),
)  # fmt: skip
_kind("ome rgb", tiff(last(RGB), "a.ome.tif", photometric="rgb", metadata={"axes": "YXS"}), RGB)
_kind("ome not square", tiff(GREY16[0], "a.ome.tif", metadata={**_MICRONS, "PhysicalSizeY": 0.3}), GREY16,
      "not square", pixel_size=(0.3, 0.25))  # fmt: skip
for unit, value in (("nm", 250), ("mm", 0.00025), ("Å", 2500), ("m", 2.5e-7), ("in", 0.25 / 25400), ("pm", 250000)):
    _kind(
        f"ome {unit}",
        tiff(GREY16[0], "a.ome.tif", metadata={
            "PhysicalSizeX": value, "PhysicalSizeXUnit": unit, "PhysicalSizeY": value, "PhysicalSizeYUnit": unit}),
        GREY16, pixel_size=SQUARE,
    )  # fmt: skip
for unit in ("reference frame", "furlong"):
    _kind(
        f"ome {unit}",
        tiff(GREY16[0], "a.ome.tif", metadata={
            "PhysicalSizeX": 2, "PhysicalSizeXUnit": unit, "PhysicalSizeY": 2, "PhysicalSizeYUnit": unit}),
        GREY16, "not understood",
    )  # fmt: skip
for size in ("0", "-1", "nan", "inf", "1e308", "wide"):
    _kind(
        f"ome size {size}",
        tiff(GREY16[0], "a.ome.tif", metadata={"PhysicalSizeX": size, "PhysicalSizeY": size}),
        GREY16, "not understood",
    )  # fmt: skip
for unit in ("um", "\\u00B5m", "micron", "microns", "micrometer", "micrometre"):
    _kind(f"imagej {unit}", tiff(GREY16[0], imagej=True, resolution=(4, 4), metadata={"unit": unit}), GREY16,
          pixel_size=SQUARE)  # fmt: skip
for unit, per in (("nm", 0.004), ("nanometer", 0.004), ("mm", 4000), ("cm", 40000), ("inch", 101600)):
    _kind(f"imagej {unit}", tiff(GREY16[0], imagej=True, resolution=(per, per), metadata={"unit": unit}), GREY16,
          pixel_size=SQUARE)  # fmt: skip
for unit in ("pixel", "pixels", ""):
    _kind(f"imagej unit {unit!r}", tiff(GREY16[0], imagej=True, resolution=(1, 1), metadata={"unit": unit}), GREY16)
_kind(
    "imagej µm in Latin-1",
    tiff(GREY16[0], description="ImageJ=1.53t\nunit=\xb5m\n".encode("latin-1"), metadata=None, resolution=(4, 4),
          resolutionunit="NONE"), GREY16, pixel_size=SQUARE,
)  # fmt: skip
_kind("imagej unit parrot", tiff(GREY16[0], imagej=True, resolution=(4, 4), metadata={"unit": "parrot"}), GREY16,
      "not understood")  # fmt: skip
_kind("imagej channels", tiff(THREE, imagej=True, metadata={"axes": "CYX"}), THREE)
_kind("imagej slices", tiff(THREE, imagej=True, metadata={"axes": "ZYX"}), None, "volume")
_kind("imagej frames", tiff(THREE, imagej=True, metadata={"axes": "TYX"}), None, "time series")
for kind in ("images=3\nslices=3", "images=5\nchannels=5"):
    _kind(
        f"imagej, a page for {kind!r}",
        tiff(GREY16[0], description=f"ImageJ=1.54f\n{kind}\n", metadata=None), None, "planes",
    )  # fmt: skip
_kind(
    "imagej, a count that is wrong", tiff(GREY16[0], description="ImageJ=1.54f\nimages=3\n", metadata=None),
    GREY16, "room for fewer",
)  # fmt: skip


def _one_page_for_three(folder: Path) -> Path:
    """Write what ImageJ writes of large stacks: a page, and more planes behind it."""
    tifffile.imwrite(folder / "a.tif", GREY16[0], description="ImageJ=1.54f\nimages=3\n", metadata=None)
    with (folder / "a.tif").open("ab") as stream:
        stream.write(THREE[1:].tobytes())
    return folder / "a.tif"


_kind("imagej, planes behind the first", _one_page_for_three, None, "3 planes")
_kind("imagej rgb", tiff(last(RGB), imagej=True), RGB)
_kind("tags per cm", tiff(GREY16[0], resolution=(40000, 40000), resolutionunit="CENTIMETER"), GREY16,
      pixel_size=SQUARE)  # fmt: skip
_kind("tags per inch", tiff(GREY16[0], resolution=(101600, 101600), resolutionunit="INCH"), GREY16, pixel_size=SQUARE)
_kind("tags not square", tiff(GREY16[0], resolution=(40000, 20000), resolutionunit="CENTIMETER"), GREY16,
      "not square", pixel_size=(0.5, 0.25))  # fmt: skip
for dots in (72, 96, 300, 600, 1200, 2400):
    _kind(f"tags {dots} dpi", tiff(GREY16[0], resolution=(dots, dots), resolutionunit="INCH"), GREY16)
_kind("aperio mpp", tiff(last(RGB), photometric="rgb", description="Aperio Image Library v12\r\n60x44|MPP = 0.25",
                          metadata=None), RGB, pixel_size=SQUARE)  # fmt: skip
