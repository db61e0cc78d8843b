"""Which part of a slide is segmented: a region, an annotation, tissue, or what they have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...images.region import region_of
from ..box import Box
from ..sources.source import SlideInfo
from .annotation import read_annotation
from .levels import PlaneGeometry
from .tissue import Tissue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shapely.geometry.base import BaseGeometry

    from ..box import Tile

__all__ = ["Area", "choose_area"]

_LONGEST = 2048
"""Pixels along the longer side of the mask of an annotation."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Area:
    """What is segmented of a slide. Coordinates are in pixels of full resolution, y before x.

    Attributes:
        bounds: the rectangle around it, whole pixels.
        frame: where the mask lies; the bounds are inside of it.
        mask: (H, W): which parts of the frame belong to it, at low resolution; None for all of them.
        outline: of an annotation, in x and y: exact where the mask is coarse. None without one.
        drawn: whether the mask is that of the outline, and says no more.
        share: part of the slide that it is, from 0 to 1.
        notes: what was chosen, as sentences.
    """

    bounds: Box
    frame: Box
    mask: Mask | None
    outline: BaseGeometry | None
    drawn: bool
    share: float
    notes: tuple[str, ...] = ()

    def box(self, info: SlideInfo) -> Box:
        """Return the bounds with all slices of a volume."""
        depth = info.shape[1:-2]
        return Box((0,) * len(depth) + self.bounds.low, depth + self.bounds.high)

    def inside(self, y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> Mask:
        """Tell for a grid of points, by the mask, which of them belong to it.

        Args:
            y: (H,) of its rows.
            x: (W,) of its columns.
        """
        within = [
            (places >= low) & (places < high)
            for places, low, high in zip((y, x), self.bounds.low, self.bounds.high, strict=True)
        ]
        if self.mask is None:
            return within[0][:, None] & within[1][None, :]
        return self.mask[np.ix_(self._cells(y, 0), self._cells(x, 1))] & within[0][:, None] & within[1][None, :]

    def counts(self, points: npt.NDArray[np.float64]) -> Mask:
        """Tell which objects count: those whose centroid lies in the area.

        Args:
            points: (N, 2) centroids, y and x, at full resolution.
        """
        y, x = np.asarray(points, np.float64).reshape(-1, 2).T
        good: Mask = (y >= self.bounds.low[0]) & (y < self.bounds.high[0])
        good &= (x >= self.bounds.low[1]) & (x < self.bounds.high[1])
        if self.outline is not None:
            import shapely

            shapely.prepare(self.outline)
            good &= np.asarray(shapely.contains_xy(self.outline, x, y), bool)
        if self.mask is not None and not self.drawn:
            good &= self.mask[self._cells(y, 0), self._cells(x, 1)]
        return good

    def touches(self, low: tuple[float, float], high: tuple[float, float]) -> bool:
        """Tell whether a part of a rectangle belongs to the area, at full resolution, y before x."""
        starts, stops = [], []
        for axis in range(2):
            start, stop = max(low[axis], self.bounds.low[axis]), min(high[axis], self.bounds.high[axis])
            if start >= stop:
                return False
            starts.append(start)
            stops.append(stop)
        if self.outline is not None:
            import shapely

            shapely.prepare(self.outline)
            if not self.outline.intersects(shapely.box(starts[1], starts[0], stops[1], stops[0])):
                return False
        if self.mask is None or self.drawn:
            return True
        rows, columns = (
            slice(int(self._cells(np.array([start]), axis)[0]), int(self._cells(np.array([stop]), axis)[0]) + 1)
            for axis, (start, stop) in enumerate(zip(starts, stops, strict=True))
        )
        return bool(self.mask[rows, columns].any())

    def tiles(self, tiles: Iterable[Tile], geometry: PlaneGeometry) -> list[int]:
        """Return the indices of the tiles that are to be done: those whose cores hold a part of the area.

        An object counts if its centroid lies in the area, so that the tile whose core that is in is among them.
        """
        found = []
        for tile in tiles:
            low, high = (geometry.to_full(corner)[-2:] for corner in (tile.core.low, tile.core.high))
            if self.touches((float(low[0]), float(low[1])), (float(high[0]), float(high[1]))):
                found.append(tile.index)
        return found

    def _cells(self, places: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.int64]:
        assert self.mask is not None
        low, high, size = self.frame.low[axis], self.frame.high[axis], self.mask.shape[axis]
        cells = np.floor((places - low) * (size / (high - low)))
        return np.asarray(np.clip(cells, 0, size - 1).astype(np.int64))


def choose_area(
    info: SlideInfo,
    *,
    region: tuple[int, int, int, int] | None = None,
    annotation: Path | None = None,
    tissue: Tissue | None = None,
) -> Area:
    """Return what is segmented of a slide: what lies in all that is given.

    Args:
        info: of the slide.
        region: x, y, width and height, in pixels of full resolution.
        annotation: path of a GeoJSON file.
        tissue: that was found on the whole slide, whatever the region.

    Raises:
        ImageError: the region is not inside of the slide, or the annotation is damaged, marks nothing or misses it.
    """
    height, width = info.shape[-2:]
    bounds = Box((0, 0), (height, width))
    notes: list[str] = []
    outline: BaseGeometry | None = None
    if region is not None:
        chosen = region_of(info.path, info.shape, region)
        bounds = Box((chosen.y, chosen.x), (chosen.y + chosen.height, chosen.x + chosen.width))
    if annotation is not None:
        outline = read_annotation(annotation, height, width)
        outline, bounds = _clipped(outline, bounds, annotation, info)
    frame = bounds
    mask = None if outline is None else _drawn(outline, frame)
    drawn = outline is not None
    if tissue is not None:
        notes.append(tissue.note)
        if tissue.mask is not None:
            both = _in_tissue(tissue.mask, (height, width), frame, mask)
            if both.any():
                bounds, mask, drawn = _around(both, frame), both, False
            else:
                notes.append("No tissue was found in what is to be segmented: all of it was.")
    share = (frame.size if mask is None else frame.size * float(mask.mean())) / (height * width)
    if annotation is not None:
        notes.append(f"Only what {annotation.name} marks was segmented: {100 * share:.3g} % of the slide.")
    return Area(bounds, frame, mask, outline, drawn, share, tuple(notes))


def _clipped(outline: BaseGeometry, bounds: Box, annotation: Path, info: SlideInfo) -> tuple[BaseGeometry, Box]:
    import shapely

    from ...errors import ImageError

    inside = outline.intersection(shapely.box(bounds.low[1], bounds.low[0], bounds.high[1], bounds.high[0]))
    if inside.area == 0:
        raise ImageError(
            f"{annotation} marks nothing in the region of {info.path} that is asked for.",
            hint="Leave one of them out, or give a region that the annotation touches.",
        )
    left, top, right, bottom = inside.bounds
    return inside, Box((math.floor(top), math.floor(left)), (math.ceil(bottom), math.ceil(right))).within(bounds)


def _drawn(outline: BaseGeometry, bounds: Box) -> Mask:
    """Return which cells of a grid over the bounds have their centres in an outline."""
    import shapely

    times = max(1.0, max(bounds.shape) / _LONGEST)
    rows, columns = (max(1, math.ceil(size / times)) for size in bounds.shape)
    y = bounds.low[0] + (np.arange(rows) + 0.5) * (bounds.shape[0] / rows)
    x = bounds.low[1] + (np.arange(columns) + 0.5) * (bounds.shape[1] / columns)
    shapely.prepare(outline)
    mask = np.stack([np.asarray(shapely.contains_xy(outline, x, np.full(columns, row)), bool) for row in y])
    return mask if mask.any() else np.ones_like(mask)  # a sliver has no centre of a cell in it


def _in_tissue(tissue: Mask, shape: tuple[int, int], frame: Box, mask: Mask | None) -> Mask:
    """Return which parts of a frame are tissue, and in its mask, if it has one: in the smaller cells of the two."""
    cell = [whole / cells for whole, cells in zip(shape, tissue.shape, strict=True)]
    wanted = [math.ceil(span / one) for span, one in zip(frame.shape, cell, strict=True)]
    if mask is not None:
        wanted = [max(one, other) for one, other in zip(wanted, mask.shape, strict=True)]
    # No finer than pixels: a small region of a slide can lie inside of one cell.
    size = [max(1, min(cells, span)) for cells, span in zip(wanted, frame.shape, strict=True)]
    places = []
    for low, span, cells, one, last in zip(frame.low, frame.shape, size, cell, tissue.shape, strict=True):
        centres = low + (np.arange(cells) + 0.5) * (span / cells)
        places.append(np.clip((centres / one).astype(np.int64), 0, last - 1))
    found: Mask = tissue[np.ix_(*places)]
    if mask is not None:
        own = [np.arange(cells) * part // cells for cells, part in zip(size, mask.shape, strict=True)]
        found = found & mask[np.ix_(*own)]
    return found


def _around(mask: Mask, frame: Box) -> Box:
    """Return the rectangle of whole pixels around what a mask marks of a frame."""
    low, high = [], []
    for axis in range(2):
        there = np.flatnonzero(mask.any(axis=1 - axis))
        cell = frame.shape[axis] / mask.shape[axis]
        low.append(frame.low[axis] + math.floor(int(there[0]) * cell))
        high.append(frame.low[axis] + math.ceil((int(there[-1]) + 1) * cell))
    return Box(tuple(low), tuple(high)).within(frame)
