"""OME-TIFF files: what their XML says."""

from __future__ import annotations

import os
from pathlib import Path

import tifffile

from support.hostile_images.parts import GREY, Builder, Hostile, into
from support.hostile_images.tiffs import jump

__all__ = ["HOSTILE"]

HOSTILE: list[Hostile] = []
_add = into(HOSTILE)


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
    jump({149: 120}, 150)(folder).rename(folder / "b.ome.tif")
    return _ome(data='<TiffData><UUID FileName="b.ome.tif">urn:uuid:1</UUID></TiffData>')(folder)


_add("ome set with a circle", _circle_in_set, "circle")
