"""The label map of the plane as an OME-Zarr pyramid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...files import flush, staged_part
from ...images.writers import LabelGrid, check_ome_zarr, write_label_pyramid
from ...progress import Progress
from ..box import Box
from .record import Frame

__all__ = ["label_grid", "write_label_zarr"]


def write_label_zarr(
    path: Path,
    window: Callable[[Box], npt.NDArray[np.uint32]],
    frame: Frame,
    *,
    progress: Progress | None = None,
) -> None:
    """Write the label map as OME-Zarr 0.5: a labels group with a label image for each structure.

    Pixels are the plane's. Their scale and translation are in micrometres of the slide, or in pixels of its level 0
    where the pixel size is unknown.

    Args:
        path: of the new folder. It appears whole or not at all.
        window: returns the final labels of a box, (T, *box). It is asked for each part of the plane once, in raster
            order, by one thread; parts are at most 4096 x 4096 pixels, or 16 x 1024 x 1024 voxels.
        frame: the plane.
        progress: told how many shards are written.

    Raises:
        OutputError: zarr is not installed, something is at the path, it cannot be written, or the disk is full.
    """
    check_ome_zarr()

    def part(slices: tuple[slice, ...]) -> npt.NDArray[np.uint32]:
        return window(Box(tuple(one.start for one in slices), tuple(one.stop for one in slices)))

    with staged_part(path) as folder:
        write_label_pyramid(folder, part, label_grid(frame), frame.structures, progress=progress)
        flush(folder)


def label_grid(frame: Frame) -> LabelGrid:
    """Return where the pixels of the plane lie, with OME-Zarr's origin: the centre of the slide's first pixel."""
    edges = frame.edges
    unit = edges or (1.0,) * len(frame.shape)
    scale = tuple(factor * edge for factor, edge in zip(frame.factor, unit, strict=True))
    # The centre of a pixel is half a pixel from its corner, and pixels of plane and slide differ in size.
    centre = frame.in_slide(np.full(len(frame.shape), 0.5)) - 0.5
    translation = tuple(float(place * edge) for place, edge in zip(centre, unit, strict=True))
    return LabelGrid(frame.shape, scale, translation, None if edges is None else "micrometer")
