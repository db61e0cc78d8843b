"""The plane: what is segmented of a slide, at the model's pixel size, read part by part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...images.image import Array
from ..box import Box
from ..sources.source import SlideSource
from .levels import PlaneGeometry
from .resample import needed, resample

__all__ = ["Plane", "working_type"]


class Plane:
    """A plane of an opened slide.

    Whatever parts it is read in, a pixel has the same value; and a plane of a whole image has those that
    ``read_image`` and ``rescale`` give, up to rounding.

    Args:
        source: the slide; it stays open, and its own.
        geometry: how the plane lies on it.
        channels: that the model sees, as places in the slide, in the model's order.
        background: of each channel: what stands for values that are no finite numbers; by default 0.
    """

    def __init__(
        self,
        source: SlideSource,
        geometry: PlaneGeometry,
        channels: Sequence[int],
        background: Sequence[float] | None = None,
    ) -> None:
        self.source, self.geometry, self.channels = source, geometry, tuple(channels)
        self._background = np.zeros(len(self.channels)) if background is None else np.asarray(background, np.float64)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (C, H, W), or (C, D, H, W)."""
        return (len(self.channels), *self.geometry.shape)

    def read(self, box: Box) -> npt.NDArray[np.float32] | npt.NDArray[np.float64]:
        """Return a part of the plane.

        Args:
            box: in pixels of the plane.

        Returns:
            (C, *box), raw values, finite: float32, or float64 for types of which float32 would lose digits.

        Raises:
            ImageError: what is read is damaged, missing, or does not fit into memory.
            ValueError: the box lies outside of the plane.
        """
        geometry = self.geometry
        if box.within(geometry.box) != box:
            raise ValueError(f"{box} is not in a plane of {geometry.shape}")
        shape = geometry.domain.shape
        window = needed(box, geometry.step, geometry.start, shape) if geometry.resampled else box
        raw = self.source.read(geometry.level, window.shifted(geometry.domain.low), self.channels)
        pixels = self._finite(raw)
        if not geometry.resampled:
            return pixels
        return resample(pixels, window, box, geometry.step, geometry.start, shape)

    def _finite(self, raw: Array) -> npt.NDArray[np.float32] | npt.NDArray[np.float64]:
        pixels: Array = raw.astype(working_type(raw.dtype))
        if raw.dtype.kind == "f":
            for channel, background in zip(pixels, self._background, strict=True):
                good = np.isfinite(channel)
                if not good.all():
                    channel[~good] = background
        return pixels


def working_type(dtype: np.dtype[np.generic]) -> type[np.float32] | type[np.float64]:
    """Return the type of numbers that hold a file's: float32, unless it has too few digits."""
    small = dtype.kind == "b" or dtype.itemsize <= 2 or dtype == np.float32
    return np.float32 if small else np.float64
