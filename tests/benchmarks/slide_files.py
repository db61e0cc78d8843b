"""Slides of any size: a real image of H&E mirrored and varied, or planted cones, as files that everybody reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from benchmarks.cones import SPACING, draw_cones
from support.paths import SHARED

__all__ = ["planted_pattern", "stained_pattern", "write_slide"]

Pixels = npt.NDArray[np.uint8]
Pattern = Callable[[int, int, int, int], Pixels]
"""Rows and columns from (y, x) on, of (height, width) pixels: (C, height, width)."""

_PITCH = 512
_LEVELS = 4
_MPP = 0.5


def stained_pattern(seed: int = 0) -> Pattern:
    """Return H&E of any size: the example image, mirrored at its edges and, from copy to copy, turned and dyed anew."""
    image = tifffile.imread(SHARED / "data" / "examples" / "HE_example.tif")
    image = np.moveaxis(image, -1, 0) if image.shape[-1] == 3 else image
    side = min(image.shape[1:]) // 16 * 16
    image = np.ascontiguousarray(image[:, :side, :side])

    def copy(row: int, column: int) -> Pixels:
        # Odd rows and columns are mirrored, so that the copies join; light and dye vary by some percent.
        turned = image[:, :: -1 if row % 2 else 1, :: -1 if column % 2 else 1]
        rng = np.random.default_rng((seed, row, column))
        dyed = 255.0 - (255.0 - turned) * rng.uniform(0.92, 1.08, (3, 1, 1))
        return dyed.clip(0, 255).round().astype(np.uint8)

    return _repeated(copy, side)


def planted_pattern(share: float = 0.092, seed: int = 0) -> Pattern:
    """Return cones, a share of whose places is taken; the default is 230 in a megapixel, as many as H&E has nuclei."""

    def copy(row: int, column: int) -> Pixels:
        # One of sixteen blocks stands in each place: drawing them all would take longer than finding them.
        number = int(np.random.default_rng((seed, row, column)).integers(16))
        if number not in drawn:
            drawn[number] = draw_cones(50, 50, seed + number, share)
        return drawn[number]

    drawn: dict[int, Pixels] = {}
    return _repeated(copy, 50 * SPACING)


def _repeated(copy: Callable[[int, int], Pixels], side: int) -> Pattern:
    def window(y: int, x: int, height: int, width: int) -> Pixels:
        rows = [
            np.concatenate(
                [
                    copy(row, column)[
                        :,
                        max(y - row * side, 0) : y + height - row * side,
                        max(x - column * side, 0) : x + width - column * side,
                    ]
                    for column in range(x // side, (x + width - 1) // side + 1)
                ],
                axis=2,
            )
            for row in range(y // side, (y + height - 1) // side + 1)
        ]
        return np.concatenate(rows, axis=1)

    return window


def write_slide(path: Path, side: int, pattern: Pattern, *, stained: bool) -> Path:
    """Write a tiled TIFF of a square plane, a tile after the other.

    Args:
        path: of the file: of a stained slide an SVS pyramid, which upstream's reader takes too, else an OME-TIFF.
        side: width and height in pixels.
        pattern: what is on it.
        stained: whether it has three channels.
    """
    form: dict[str, Any] = {"tile": (_PITCH, _PITCH), "compression": "zlib", "compressionargs": {"level": 1}}
    with tifffile.TiffWriter(path, bigtiff=True, ome=not stained) as writer:
        if not stained:
            unit = {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
            writer.write(
                (tile[0] for tile in _tiles(pattern, side, 1)),
                shape=(side, side),
                dtype=np.uint8,
                photometric="minisblack",
                metadata={"axes": "YX", "PhysicalSizeX": _MPP, "PhysicalSizeY": _MPP, **unit},
                **form,
            )
            return path
        for level in range(_LEVELS):
            size = side >> level
            said: dict[str, Any] = {"photometric": "rgb", "metadata": None}
            writer.write(
                (np.moveaxis(tile, 0, -1) for tile in _tiles(pattern, size, 1 << level)),
                shape=(size, size, 3),
                dtype=np.uint8,
                description=f"Aperio Image Library v12\n{side}x{side}|AppMag = 20|MPP = {_MPP}",
                **said,
                **form,
            )
            if level == 0:
                # The second image of an SVS is a thumbnail, whatever it shows.
                writer.write(np.full((64, 64, 3), 240, np.uint8), description="Aperio Image Library v12", **said)
    return path


def _tiles(pattern: Pattern, size: int, step: int) -> Iterator[Pixels]:
    """Yield the tiles of a level in the order of the file, the last ones filled up with zeros."""
    for y in range(0, size, _PITCH):
        for x in range(0, size, _PITCH):
            height, width = min(_PITCH, size - y), min(_PITCH, size - x)
            whole = pattern(y * step, x * step, height * step, width * step).astype(np.uint16)
            mean = whole.reshape(len(whole), height, step, width, step).mean((2, 4)).round().astype(np.uint8)
            tile = np.zeros((len(whole), _PITCH, _PITCH), np.uint8)
            tile[:, :height, :width] = mean
            yield tile
