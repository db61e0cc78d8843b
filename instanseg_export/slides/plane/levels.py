"""Which level of a pyramid is read, and how the plane that the model sees lies on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import ImageError
from ...images.image import PixelSize
from ...images.rescale import SAME_SIZE, check_factors, rescaled_shape
from ..box import Box
from ..sources.source import Level, SlideInfo

__all__ = ["PlaneGeometry", "lay_plane"]


@dataclass(frozen=True)
class PlaneGeometry:
    """How a plane lies on a slide.

    Pixel i of the plane covers full resolution from ``offset + i * scale`` to ``offset + (i + 1) * scale``.

    Attributes:
        level: that is read.
        domain: the part of it that the plane is made of, in pixels of the level.
        shape: of the plane, (D,) H, W.
        step: pixels of the level for each of the plane, (z,) y, x.
        start: where the plane begins in the domain, in pixels of the level; less than one.
        offset: where the plane begins, in pixels of full resolution.
        scale: pixels of full resolution for each of the plane.
        pixel_size: (y, x) of the plane in micrometres; None where the slide's is unknown.
        slice_distance: of a volume, in micrometres; None where it is unknown.
    """

    level: int
    domain: Box
    shape: tuple[int, ...]
    step: tuple[float, ...]
    start: tuple[float, ...]
    offset: tuple[float, ...]
    scale: tuple[float, ...]
    pixel_size: PixelSize | None
    slice_distance: float | None

    @property
    def box(self) -> Box:
        """Return all of the plane."""
        return Box.of(self.shape)

    @property
    def resampled(self) -> bool:
        """Return whether the plane has other pixels than the level."""
        return any(step != 1 or start for step, start in zip(self.step, self.start, strict=True))

    def to_full(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return where points of the plane lie at full resolution.

        Args:
            points: (..., D) places, (z,) y, x, counted from the outer corner of the first pixel: its centre is 0.5.
        """
        return np.asarray(points, np.float64) * self.scale + self.offset

    def to_plane(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return where points of full resolution lie in the plane; see :meth:`to_full`."""
        return (np.asarray(points, np.float64) - self.offset) / self.scale


def lay_plane(
    info: SlideInfo,
    box: Box | None = None,
    *,
    pixel_size: PixelSize | None = None,
    model_pixel_size: float | None = None,
    model_slice_distance: float | None = None,
) -> PlaneGeometry:
    """Lay the plane over a part of a slide, and choose the level that is read for it.

    It is the coarsest level that has as much detail as the model expects, so that what is read is never enlarged where
    a finer level is there. The size of the plane and the places of its pixels are those of
    :func:`...images.rescale.rescale`, given the part at full resolution.

    Args:
        info: of the slide.
        box: of the part, in pixels of full resolution; by default all.
        pixel_size: (y, x) of full resolution in micrometres, if the file is silent or wrong.
        model_pixel_size: that the model expects, in micrometres; None for any.
        model_slice_distance: that a model for volumes expects, in micrometres; None for any.

    Raises:
        ImageError: the slide does not say its pixel size and nobody does; or it is too far from the model's.
    """
    box = info.levels[0].box if box is None else box
    size = info.pixel_size if pixel_size is None else pixel_size
    factors = _factors(info, size, model_pixel_size, model_slice_distance)
    level = _choose(info.levels, factors)
    down = info.levels[level].downsample
    ratios = [1 / (factor * skipped) for factor, skipped in zip(factors, down, strict=True)]
    if size is not None and model_pixel_size is not None:
        check_factors([1 / ratio for ratio in ratios], _times(size, down), (model_pixel_size, model_pixel_size))
    domain = _domain(box, info.levels[level])
    if all(abs(ratio - 1) <= SAME_SIZE for ratio in ratios):
        shape, scale = domain.shape, down
        offset = tuple(low * skipped for low, skipped in zip(domain.low, down, strict=True))
        step, start = (1.0,) * len(shape), (0.0,) * len(shape)
    else:
        shape = rescaled_shape(box.shape, factors)
        scale = tuple(whole / part for whole, part in zip(box.shape, shape, strict=True))
        offset = tuple(map(float, box.low))
        step = tuple(one / skipped for one, skipped in zip(scale, down, strict=True))
        start = tuple(low / skipped - own for low, skipped, own in zip(box.low, down, domain.low, strict=True))
    distance = info.slice_distance
    return PlaneGeometry(
        level,
        domain,
        shape,
        step,
        start,
        offset,
        scale,
        None if size is None else _times(size, scale),
        None if distance is None or len(shape) == 2 else distance * scale[0],
    )


def _factors(info: SlideInfo, size: PixelSize | None, wanted: float | None, slices: float | None) -> tuple[float, ...]:
    """Return how many pixels the plane has for each of full resolution, along each axis."""
    if wanted is not None and size is None:
        said = info.pixel_size_note.rstrip(".") or f"{info.path.name} does not say its pixel size"
        raise ImageError(
            f"{said}, and the model is for pixels of {wanted:g} µm.",
            hint="Give the size of a pixel at full resolution in micrometres, as in --pixel-size 0.25.",
        )
    lateral = (1.0, 1.0) if size is None or wanted is None else (size[0] / wanted, size[1] / wanted)
    axial = info.slice_distance / slices if info.slice_distance and slices and wanted is not None else 1.0
    factors = lateral if len(info.shape) == 3 else (axial, *lateral)
    return factors if max(abs(factor - 1) for factor in factors) > SAME_SIZE else (1.0,) * len(factors)


def _choose(levels: tuple[Level, ...], factors: tuple[float, ...]) -> int:
    """Return the last level of which the plane has no more pixels than the level itself, along any axis."""
    fine = [
        place
        for place, level in enumerate(levels)
        if all(factor * skipped <= 1 + SAME_SIZE for factor, skipped in zip(factors, level.downsample, strict=True))
    ]
    return max(fine, default=0)


def _domain(box: Box, level: Level) -> Box:
    """Return the pixels of a level that touch a box of full resolution; at least one along each axis."""
    sizes, down = level.shape[1:], level.downsample
    low = tuple(
        min(math.floor(start / skipped + 1e-9), size - 1)
        for start, skipped, size in zip(box.low, down, sizes, strict=True)
    )
    high = tuple(
        max(first + 1, min(math.ceil(stop / skipped - 1e-9), size))
        for first, stop, skipped, size in zip(low, box.high, down, sizes, strict=True)
    )
    return Box(low, high)


def _times(size: PixelSize, factors: tuple[float, ...]) -> PixelSize:
    return size[0] * factors[-2], size[1] * factors[-1]
