"""TIFF files of several images, and images of several files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from support.peoples_images.parts import (
    RGB,
    SQUARE,
    THREE,
    Kind,
    into,
    last,
)

__all__ = ["KINDS"]

KINDS: list[Kind] = []
_kind = into(KINDS)


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


_kind("ome set of files", _set_of_files(), THREE, pixel_size=SQUARE, names=("c0", "c1", "c2"))
_kind("ome set, one lost", _set_of_files(lose=2), None, "ch2.ome.tif is missing")
_kind("ome set that climbs out", _set_of_files(climb=True), None, "outside of its folder")
