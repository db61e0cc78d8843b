"""Zarr arrays, and images of OME-Zarr."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from support.peoples_images.parts import (
    FOUR,
    GREY16,
    SQUARE,
    THREE,
    TWO,
    Kind,
    into,
    last,
)

__all__ = ["KINDS", "ome_zarr"]

KINDS: list[Kind] = []
_kind = into(KINDS)


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
    _kind(f"ome-zarr {version}", ome_zarr(THREE, version=version, labels=("a", "b", "c")), THREE, pixel_size=SQUARE,
          names=("a", "b", "c"))  # fmt: skip
    _kind(f"ome-zarr {version} tczyx", ome_zarr(THREE[None, :, None], "tczyx", version), THREE, pixel_size=SQUARE)
    _kind(f"ome-zarr {version} scale of the whole", ome_zarr(THREE, version=version, scale=1.0, whole=0.25), THREE,
          pixel_size=SQUARE)  # fmt: skip
    _kind(f"ome-zarr {version} scales multiplied", ome_zarr(THREE, version=version, scale=0.5, whole=0.5), THREE,
          pixel_size=SQUARE)  # fmt: skip
    _kind(f"ome-zarr {version} volume", ome_zarr(THREE, "zyx", version), None, "volume")
    _kind(f"ome-zarr {version} time", ome_zarr(THREE, "tyx", version), None, "time series")
for version in ("0.1", "0.2", "0.3"):
    _kind(f"ome-zarr {version}", ome_zarr(THREE[None, :, None], "tczyx", version, scale=None), THREE)
_kind("ome-zarr as a volume", ome_zarr(THREE, "zyx"), THREE[None], dimensions=3, pixel_size=SQUARE)
_kind("ome-zarr nanometer", ome_zarr(THREE, scale=250.0, unit="nanometer"), THREE, pixel_size=SQUARE)
_kind("ome-zarr not square", ome_zarr(THREE, scale=(0.3, 0.25)), THREE, "not square", pixel_size=(0.3, 0.25))
_kind("ome-zarr without unit", ome_zarr(THREE, unit=None), THREE, "not understood")
_kind("ome-zarr axes yxc", ome_zarr(last(THREE), "yxc"), THREE, pixel_size=SQUARE)
_kind("ome-zarr big-endian", ome_zarr(THREE.astype(">u2"), "cyx"), THREE, pixel_size=SQUARE)
_kind("ome-zarr shards", ome_zarr(FOUR, version="0.5", chunks=(1, 11, 15), shards=(2, 44, 60)), FOUR,
      pixel_size=SQUARE)  # fmt: skip
_HOLE = THREE.copy()
_HOLE[0, :22, :30] = 0
_kind("ome-zarr missing chunk", ome_zarr(THREE, chunks=(1, 22, 30), lose="0/0.0.0"), _HOLE, "lacks 1 of 12 chunks",
      pixel_size=SQUARE)  # fmt: skip


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


_kind("ome-zarr, coarse level first", _coarse_first, THREE, "finest", pixel_size=SQUARE)

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
_kind("bioformats2raw, one image", _collection(1), THREE, "collection of one image", pixel_size=SQUARE)
_kind("bioformats2raw, two images", _collection(2), None, "collection")
_kind("folder of nothing", lambda folder: folder, None, "no OME-Zarr")
