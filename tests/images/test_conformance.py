"""Our readers of images keep what every reader promises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from instanseg_export.testing.image_reader import Array, ImageReaderSuite
from support.peoples_images.zarrs import ome_zarr

NAMES = ("DAPI", "CD3", "CD8")


def axes(planes: Array) -> str:
    return "CYX" if planes.ndim == 3 else "CZYX"


class TestOmeTiff(ImageReaderSuite):
    name = "tiff"
    dtypes = ("uint16", "uint8", "int16", "float32")
    channels = (1, 2, 3, 5)
    channel_names = NAMES
    pixel_size = (0.5, 0.25)
    volumes = True

    def write(self, planes: Array, path: Path) -> None:
        metadata = {"axes": axes(planes), "PhysicalSizeY": 0.5, "PhysicalSizeX": 0.25}
        named = {"Channel": {"Name": NAMES}} if len(planes) == 3 else {}
        tifffile.imwrite(path, planes, ome=True, photometric="minisblack", metadata=metadata | named)


class TestImageJTiff(ImageReaderSuite):
    name = "tiff"
    dtypes = ("uint16", "uint8", "float32")
    pixel_size = (0.25, 0.25)
    volumes = True

    def write(self, planes: Array, path: Path) -> None:
        array = planes if planes.ndim == 3 else np.moveaxis(planes, 0, 1)
        letters = {3: "CYX", 4: "ZCYX"}[planes.ndim]
        tifffile.imwrite(path, array, imagej=True, resolution=(4, 4), metadata={"unit": "um", "axes": letters})


class TestZarr(ImageReaderSuite):
    name = "zarr"
    dtypes = ("uint16", "uint8", "float32")
    channels = (1, 3)
    channel_names = NAMES
    pixel_size = (0.5, 0.25)
    volumes = True
    version = "0.4"

    @pytest.fixture(autouse=True)
    def zarr_is_installed(self) -> None:
        pytest.importorskip("zarr")

    def write(self, planes: Array, path: Path) -> None:
        labels = NAMES if len(planes) == 3 else ()
        build = ome_zarr(planes, axes(planes).lower(), self.version, scale=(0.5, 0.25), labels=labels)
        folder = path.with_name(f"{path.name} folder")
        folder.mkdir()
        build(folder).rename(path)


class TestZarr3(TestZarr):
    version = "0.5"


class Picture(ImageReaderSuite):
    name = "raster"
    dtypes = ("uint8",)
    options: ClassVar[Mapping[str, Any]]

    def write(self, planes: Array, path: Path) -> None:
        Pillow.fromarray(planes[0] if len(planes) == 1 else np.moveaxis(planes, 0, -1)).save(path, **self.options)


class TestPng(Picture):
    options: ClassVar[Mapping[str, Any]] = {"format": "PNG"}


class TestJpeg(Picture):
    options: ClassVar[Mapping[str, Any]] = {"format": "JPEG", "quality": 98, "subsampling": 0}
    tolerance = 8.0


class TestBmp(Picture):
    options: ClassVar[Mapping[str, Any]] = {"format": "BMP"}
