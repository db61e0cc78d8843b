"""Outlines as a set of ImageJ ROIs: what *File > Open* and the ROI Manager of Fiji and ImageJ read."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from roifile import ImagejRoi
    from shapely import MultiPolygon, Polygon

__all__ = ["write_rois"]

_FARTHEST = 60_535
"""ImageJ keeps whole coordinates in 16 bits, up to here; beyond it, and for shapes, in float32."""


def write_rois(path: Path, structures: Iterable[tuple[str, Iterable[tuple[int, Polygon | MultiPolygon]]]]) -> None:
    """Write a RoiSet: a zip with a ROI per object, which belongs to no channel or slice and shows on all of them.

    An object of one piece without holes is a traced polygon, any other a composite. The ROIs of the first structure are
    in group 1, those of the second in group 2: ImageJ gives each group its colour.

    Args:
        path: of the new file; an existing one is replaced.
        structures: name of the structure, and label and outline of each of its objects.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for group, (structure, outlines) in enumerate(structures, start=1):
            for label, outline in outlines:
                name = f"{structure}-{label:05d}"
                roi = _roi(outline)
                roi.name, roi.group = name, group
                # A fixed date, so that the same outlines give the same bytes.
                member = zipfile.ZipInfo(f"{name}.roi", date_time=(1980, 1, 1, 0, 0, 0))
                member.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(member, roi.tobytes())


def _roi(outline: Polygon | MultiPolygon) -> ImagejRoi:
    from roifile import ROI_TYPE, ImagejRoi

    polygons = outline.geoms if outline.geom_type == "MultiPolygon" else [outline]
    rings = [np.asarray(ring.coords)[:-1] for polygon in polygons for ring in (polygon.exterior, *polygon.interiors)]
    if len(rings) == 1 and rings[0].max() <= _FARTHEST:
        roi = ImagejRoi.frompoints(rings[0].astype(np.int32))
        roi.roitype = ROI_TYPE.TRACED
        roi.right, roi.bottom = (int(edge) for edge in rings[0].max(axis=0))
        return roi
    return _composite(rings)


def _composite(rings: Sequence[np.ndarray]) -> ImagejRoi:
    """Return rings as a path of moves (0), lines (1) and closings (4), filled where an odd number of rings surround."""
    from roifile import ROI_TYPE, ImagejRoi

    path: list[float] = []
    for ring in rings:
        path += [0.0, *map(float, ring[0])]
        for point in ring[1:]:
            path += [1.0, *map(float, point)]
        path.append(4.0)
    corners = np.concatenate(list(rings))
    left, top = (min(int(edge), _FARTHEST) for edge in corners.min(axis=0))
    right, bottom = (min(int(edge), _FARTHEST) for edge in corners.max(axis=0))
    roi = ImagejRoi()
    roi.roitype = ROI_TYPE.RECT
    roi.left, roi.top, roi.right, roi.bottom = left, top, right, bottom
    roi.multi_coordinates = np.array(path, dtype=np.float32)
    roi.shape_roi_size = len(path)
    return roi
