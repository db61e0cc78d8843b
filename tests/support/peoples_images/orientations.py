"""TIFF files and pictures that are stored turned; what is expected is turned with NumPy, by the standard's words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from support.peoples_images.parts import (
    GREY16,
    SMOOTH,
    Kind,
    into,
    tiff,
)

__all__ = ["KINDS"]

KINDS: list[Kind] = []
_kind = into(KINDS)


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
        tiff(np.ascontiguousarray(turn(GREY16[0])), extratags=[(274, "H", 1, orientation, True)]),
        GREY16,
        "orientation",
    )


def _exif(orientation: int, name: str, **options: Any) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        picture = Pillow.fromarray(np.ascontiguousarray(_TURNED[orientation](SMOOTH[0])))
        exif = picture.getexif()
        exif[274] = orientation
        picture.save(folder / name, exif=exif, **options)
        return folder / name

    return build


for orientation in (3, 6, 8):
    _kind(f"jpeg exif {orientation}", _exif(orientation, "a.jpg", quality=98), SMOOTH[:1], "orientation", tolerance=4)
_kind("png exif 6", _exif(6, "a.png"), SMOOTH[:1], "orientation")
