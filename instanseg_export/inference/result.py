"""What a run gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InstansegExportError
from ..images.image import Array, PixelSize

__all__ = ["Found", "RunFailure", "RunResult", "count"]


@dataclass(frozen=True)
class Found:
    """What was found of one structure.

    Attributes:
        structure: "nuclei" or "cells".
        instances: how many.
        median_area: in pixels of the image, or voxels of the volume; None without instances.
        median_area_um2: in square micrometres, of images whose pixel size is known.
    """

    structure: str
    instances: int
    median_area: float | None
    median_area_um2: float | None


@dataclass(frozen=True)
class RunResult:
    """What ``run`` did with one image.

    Attributes:
        model, image: what it was given.
        labels: the label file, a page per structure, of the image's own height and width, or the region's.
        overlay: the picture of the outlines.
        pyramid: the folder with the label map as OME-Zarr; None if it was not asked for.
        masks: for models whose masks may overlap, the file with the whole masks as COCO run-length encoding, else None.
        objects: the table with a row for each object; None if it was not asked for and the model only segments.
        polygons: the files with outlines, in the order in which they were asked for.
        found: per structure, in the order of the pages.
        runtime: what ran the model.
        pixel_size: of the image, (height, width) in micrometres, as used; None if unknown.
        model_pixel_size: of the model, in micrometres; None if unknown.
        resampled: whether the image was brought to the model's pixel size, and the labels back.
        region: x, y, width and height of the part that was segmented, in pixels of the image; None for all of it.
        normalize: how the model was told to take the intensities: "always", "never" or "auto".
        lost: ids of instances too small to survive the way back.
        notes: one sentence for each thing that was assumed or decided.
        seconds: for this image.
    """

    model: Path
    image: Path
    labels: Path
    overlay: Path
    pyramid: Path | None
    masks: Path | None
    objects: Path | None
    polygons: tuple[Path, ...]
    found: tuple[Found, ...]
    runtime: str
    pixel_size: PixelSize | None
    model_pixel_size: float | None
    resampled: bool
    region: tuple[int, int, int, int] | None
    normalize: str
    lost: tuple[int, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def written(self) -> tuple[Path, ...]:
        """Every file that was written."""
        return tuple(
            path
            for path in (self.labels, self.overlay, self.pyramid, self.masks, self.objects, *self.polygons)
            if path is not None
        )


@dataclass(frozen=True)
class RunFailure:
    """An image of several that came to nothing.

    Attributes:
        image: what was given.
        error: why, with a hint.
    """

    image: Path
    error: InstansegExportError


def count(structure: str, labels: Array, pixel_size: PixelSize | None) -> Found:
    """Count the instances of one structure's label map."""
    areas = np.bincount(np.unique(labels[labels > 0], return_inverse=True)[1])
    median = float(np.median(areas)) if areas.size else None
    known = median is not None and pixel_size is not None and labels.ndim == 2
    return Found(structure, areas.size, median, median * pixel_size[0] * pixel_size[1] if known else None)  # type: ignore[operator, index]
