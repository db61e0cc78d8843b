"""Formats of the label map beside TIFF, which is always written: its seal tells which files belong together."""

from __future__ import annotations

from pathlib import Path

from ..errors import OutputError
from ..images.image import Array
from ..images.writers import LabelGrid, check_ome_zarr, write_label_pyramid
from .prepare import Prepared

__all__ = ["LABEL_FORMATS", "PYRAMID", "check_label_format", "write_pyramid"]

LABEL_FORMATS = ("ome-zarr",)

PYRAMID = "pyramid"
"""What the folder of an OME-Zarr label map is, among the files of a run and as a kind of output."""


def check_label_format(name: str) -> None:
    """Tell early whether label maps can be written in a format.

    Raises:
        OutputError: there is no such format, or the library for it is not installed.
    """
    if name not in LABEL_FORMATS:
        raise OutputError(
            f"There is no label format {name!r}.", hint=f"Formats beside TIFF are: {', '.join(LABEL_FORMATS)}."
        )
    check_ome_zarr()


def write_pyramid(folder: Path, labels: Array, names: tuple[str, ...], image: Prepared) -> None:
    """Write label maps as OME-Zarr, in micrometres where the pixel size is known and otherwise in pixels.

    Args:
        folder: of the caller's own, empty.
        labels: (T, H, W), or (T, D, H, W).
        names: of the structures.
        image: in which they were found.
    """
    axes = labels.ndim - 1
    edges: tuple[float | None, ...] = (image.slice_distance, *(image.pixel_size or (None, None)))
    known = [edge for edge in edges[-axes:] if edge]
    scale = tuple(known) if len(known) == axes else (1.0,) * axes
    corner = (0, 0, 0) if image.region is None else (0, image.region[1], image.region[0])
    grid = LabelGrid(
        shape=labels.shape[1:],
        scale=scale,
        translation=tuple(place * edge for place, edge in zip(corner[-axes:], scale, strict=True)),
        unit="micrometer" if len(known) == axes else None,
    )
    write_label_pyramid(folder, lambda part: labels[(slice(None), *part)], grid, names)
