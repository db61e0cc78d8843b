"""What files are written with, what is right of one, and the tables that hold them.

What is expected comes from the array that was written, never from our reader. A table's rows are (name, builder,
expectation): the builder gets an empty folder and returns the path to read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image as Pillow

__all__ = [
    "FIVE",
    "FOUR",
    "GREY",
    "GREY16",
    "GREYF",
    "OPAQUE",
    "RGB",
    "RGB16",
    "RGBA",
    "RNG",
    "SMOOTH",
    "SQUARE",
    "THREE",
    "TWO",
    "Expectation",
    "Kind",
    "into",
    "last",
    "picture",
    "scene_of",
    "tiff",
]


RNG = np.random.default_rng(11)


def scene_of(channels: int, dtype: type, height: int = 44, width: int = 60) -> np.ndarray:
    """Blobs on noise, (C, H, W), over the whole range of a type."""
    rows, columns = np.mgrid[:height, :width]
    planes = []
    for channel in range(channels):
        plane = RNG.uniform(0, 0.2, (height, width))
        for y, x in RNG.integers(5, 40, (6, 2)):
            plane += 0.7 * np.exp(-((rows - y) ** 2 + (columns - x - 3 * channel) ** 2) / 18)
        planes.append(plane / plane.max())
    scene = np.stack(planes)
    if np.dtype(dtype).kind == "f":
        return scene.astype(dtype)
    limits = np.iinfo(dtype)
    # Floats have no room for the last digits of 64 bits.
    return (limits.min * 0.999 + scene * 0.999 * (float(limits.max) - limits.min)).astype(dtype)


GREY, GREY16, GREYF = scene_of(1, np.uint8), scene_of(1, np.uint16), scene_of(1, np.float32)
TWO, THREE, FOUR, FIVE = (scene_of(count, np.uint16) for count in (2, 3, 4, 5))
RGB, RGB16, RGBA = scene_of(3, np.uint8), scene_of(3, np.uint16), scene_of(4, np.uint8)
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


def into(table: list[Kind]) -> Callable[..., None]:
    """Return what adds a row to a table."""

    def add(name: str, builder: Callable[[Path], Path], planes: np.ndarray | None, says: str = "", **more: Any) -> None:
        table.append((name, builder, Expectation(planes, says, **more)))

    return add


def tiff(array: np.ndarray, name: str = "image.tif", **options: Any) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        tifffile.imwrite(folder / name, array, **options)
        return folder / name

    return build


def picture(array: np.ndarray, name: str, mode: str | None = None, **options: Any) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        picture = Pillow.fromarray(array)
        (picture.convert(mode) if mode else picture).save(folder / name, **options)
        return folder / name

    return build


SMOOTH = np.stack([np.add.outer(np.arange(48), np.arange(64)) + 20 * channel for channel in range(3)]).astype(np.uint8)


SQUARE = (0.25, 0.25)
