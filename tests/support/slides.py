"""Slides that tests write: the same pixels in the formats that scanners and programs use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["APERIO", "WRITERS", "halved", "ome_tiff", "ome_zarr", "pyramid", "svs", "tiff_pyramid"]

Array = npt.NDArray[Any]

APERIO = (
    "Aperio Image Library v12.0.15\r\n{width}x{height} [0,0 {width}x{height}] (256x256) JPEG/RGB"
    "|AppMag = 20|MPP = {mpp}"
)
_SPACE = {"c": "channel", "z": "space", "y": "space", "x": "space"}


def halved(array: Array, times: int = 2) -> Array:
    """Average squares of pixels of (..., H, W), without the rows and columns that fill none."""
    *lead, height, width = array.shape
    cut = array[..., : height // times * times, : width // times * times]
    means = cut.reshape(*lead, height // times, times, width // times, times).mean(axis=(-3, -1))
    return np.asarray(means.round().astype(array.dtype) if array.dtype.kind in "ui" else means.astype(array.dtype))


def pyramid(array: Array, factors: Sequence[int] = (1, 2, 4)) -> list[Array]:
    """Return the levels of an image."""
    return [array if factor == 1 else halved(array, factor) for factor in factors]


def ome_tiff(folder: Path, levels: Sequence[Array], pixel_size: float | None = 0.5, **options: Any) -> Path:
    """Write OME-TIFF with its smaller levels in SubIFDs: (C, H, W), or (C, Z, H, W), levels."""
    import tifffile

    path = folder / "slide.ome.tif"
    axes = "CYX" if levels[0].ndim == 3 else "CZYX"
    metadata: dict[str, Any] = {"axes": axes, "Channel": {"Name": [f"stain {k}" for k in range(len(levels[0]))]}}
    if pixel_size is not None:
        metadata |= {"PhysicalSizeX": pixel_size, "PhysicalSizeY": pixel_size, "PhysicalSizeZ": 1.0}
    options = {"tile": (64, 64), "compression": "zlib", "photometric": "minisblack"} | options
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as tif:
        tif.write(levels[0], subifds=len(levels) - 1, metadata=metadata, **options)
        for level in levels[1:]:
            tif.write(level, subfiletype=1, metadata=None, **options)
    return path


def tiff_pyramid(folder: Path, levels: Sequence[Array], pixel_size: float | None = 0.5, **options: Any) -> Path:
    """Write a plain tiled TIFF whose smaller levels are further pages, as libvips does: RGB or grey levels."""
    import tifffile

    path = folder / "slide.tif"
    options = {"tile": (64, 64), "compression": "zlib"} | options
    if pixel_size is not None:
        options |= {"resolution": (1e4 / pixel_size, 1e4 / pixel_size), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as tif:
        for place, level in enumerate(levels):
            colour = len(level) == 3
            page = np.moveaxis(level, 0, -1) if colour else level[0]
            photometric = "rgb" if colour else "minisblack"
            tif.write(page, photometric=photometric, subfiletype=int(place > 0), metadata=None, **options)
    return path


def svs(folder: Path, levels: Sequence[Array], pixel_size: float | None = 0.5, **options: Any) -> Path:
    """Write what Aperio's scanners write: a description, a thumbnail in strips, tiled levels, a label and a macro."""
    import tifffile

    path = folder / "slide.svs"
    _, height, width = levels[0].shape
    described = APERIO.format(width=width, height=height, mpp=pixel_size)
    if pixel_size is None:
        described = described.rpartition("|")[0]
    options = {"tile": (64, 64), "compression": "zlib"} | options
    small = np.moveaxis(halved(levels[-1]), 0, -1)
    with tifffile.TiffWriter(path) as tif:
        for place, level in enumerate(levels):
            page = np.moveaxis(level, 0, -1)
            tif.write(page, photometric="rgb", description=described, metadata=None, **options)
            if place == 0:
                tif.write(small, photometric="rgb", description=described, metadata=None, rowsperstrip=16)
        for name, kind in (("label", 1), ("macro", 9)):
            text = f"Aperio Image Library v12.0.15\r\n{name} 30x20"
            tif.write(small[:20, :30], photometric="rgb", description=text, metadata=None, subfiletype=kind)
    return path


def ome_zarr(
    folder: Path,
    levels: Sequence[Array],
    pixel_size: float | None = 0.5,
    version: str = "0.5",
    axes: str = "",
    **options: Any,
) -> Path:
    """Write OME-Zarr 0.4 or 0.5."""
    import zarr

    path = folder / f"slide_{version}.ome.zarr"
    axes = axes or ("cyx" if levels[0].ndim == 3 else "czyx")
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    options = {"chunks": (1,) * (levels[0].ndim - 2) + (64, 64)} | options
    datasets = []
    for place, level in enumerate(levels):
        group.create_array(str(place), data=level, **options)
        factor = round(levels[0].shape[-1] / level.shape[-1])
        size = 1.0 if pixel_size is None else pixel_size
        scale = [{"c": 1.0, "z": 1.0}.get(axis, size * factor) for axis in axes]
        datasets.append({"path": str(place), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    unit = {} if pixel_size is None else {"unit": "micrometer"}
    named = [{"name": axis, "type": _SPACE[axis], **(unit if axis != "c" else {})} for axis in axes]
    multiscale = {"version": version, "axes": named, "datasets": datasets}
    attributes: dict[str, Any] = {"multiscales": [multiscale]}
    group.attrs.update({"ome": {"version": version, **attributes}} if version == "0.5" else attributes)
    return path


def _zarr_4(folder: Path, levels: Sequence[Array], pixel_size: float | None = 0.5) -> Path:
    return ome_zarr(folder, levels, pixel_size, "0.4")


def _sharded(folder: Path, levels: Sequence[Array], pixel_size: float | None = 0.5) -> Path:
    return ome_zarr(folder, levels, pixel_size, chunks=(1, 32, 32), shards=(1, 128, 128))


def _striped(folder: Path, levels: Sequence[Array], pixel_size: float | None = 0.5) -> Path:
    return ome_tiff(folder, levels, pixel_size, tile=None, compression=None)


WRITERS: dict[str, Callable[..., Path]] = {
    "OME-TIFF": ome_tiff,
    "OME-TIFF in one strip": _striped,
    "TIFF pyramid": tiff_pyramid,
    "SVS": svs,
    "OME-Zarr 0.4": _zarr_4,
    "OME-Zarr 0.5": ome_zarr,
    "OME-Zarr 0.5 in shards": _sharded,
}
"""All of them write three levels of three 8-bit channels alike."""
