"""OME-Zarr folders, versions 0.4 and 0.5 (https://ngff.openmicroscopy.org)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImageError
from .image import Image, check_memory, default_names
from .tiff import micrometres, square

__all__ = ["read_ome_zarr"]


def read_ome_zarr(path: Path) -> Image:
    """Read the finest level of a multiscale image.

    Raises:
        ImageError: the folder is no OME-Zarr image, the image is a volume or a time series, or zarr is not installed.
    """
    if not any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zattrs")):
        raise ImageError(f"{path} is a folder, but no OME-Zarr image.", hint="Give an image file.")
    try:
        import zarr
    except ImportError as error:
        raise ImageError(
            f"{path} is an OME-Zarr image, and the package that reads those is not installed.",
            hint="pip install 'instanseg-export[scale]'",
        ) from error
    group: Any = zarr.open_group(path, mode="r")
    attributes = dict(group.attrs)
    attributes = attributes.get("ome", attributes)
    if "multiscales" not in attributes:
        kind = "a plate" if "plate" in attributes else "a well" if "well" in attributes else "a collection"
        inside = sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        raise ImageError(
            f"{path} is {kind}, not a single image.",
            hint=f"Give one of the images inside, as in {path / (inside[0] if inside else '0')}.",
        )
    multiscale = attributes["multiscales"][0]
    level = multiscale["datasets"][0]
    data = group[level["path"]]
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in multiscale.get("axes", ())]
    names = [str(axis["name"]) for axis in axes] or list("tczyx")[-data.ndim :]
    for name, length, hint in (
        ("t", "a time series", "Save one time point as its own image."),
        ("z", "a volume", "Save one slice or a projection as its own image."),
    ):
        if name in names and data.shape[names.index(name)] > 1:
            raise ImageError(
                f"{path} is {length}: its {name} axis has {data.shape[names.index(name)]} steps.", hint=hint
            )
    if sorted(name for name in names if name not in ("t", "z", "c")) != ["x", "y"]:
        raise ImageError(f"{path} has axes {', '.join(names)}.", hint="An image has the axes y and x, and may have c.")
    check_memory(path, int(np.prod(data.shape)) * data.dtype.itemsize)
    kept = [name for name in names if name not in ("t", "z")]
    array = np.asarray(data[tuple(0 if name in ("t", "z") else slice(None) for name in names)])
    array = array.transpose([kept.index(name) for name in ("c", "y", "x") if name in kept])
    if array.ndim == 2:
        array = array[None]
    return Image(
        np.ascontiguousarray(array), _pixel_size(axes, names, level), _channel_names(attributes, array.shape[0]), path
    )


def _pixel_size(axes: list[dict[str, Any]], names: list[str], level: dict[str, Any]) -> float | None:
    scales = [t["scale"] for t in level.get("coordinateTransformations", ()) if t.get("type") == "scale"]
    if not scales:
        return None
    sizes = []
    for name in ("y", "x"):
        index = names.index(name)
        unit = micrometres(str(axes[index].get("unit", "")))
        if unit is None:
            return None
        sizes.append(float(scales[0][index]) * unit)
    return square(*sizes)


def _channel_names(attributes: dict[str, Any], channels: int) -> tuple[str, ...]:
    found = [str(channel.get("label", "")) for channel in attributes.get("omero", {}).get("channels", ())]
    return tuple(found) if len(found) == channels and all(found) else default_names(channels, colour=False)
