"""Values as float32, which models take: without losing what an image shows to numbers that are large or tiny."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .image import Array

__all__ = ["as_float32"]

_STEPS = 4096
"""Values that an image should have room for between its darkest and its brightest."""

_TINY, _HUGE = 1e-30, 1e30
"""Beyond them sums and squares of float32 are 0 or infinite."""


def as_float32(planes: Array, *, jointly: bool = False) -> tuple[npt.NDArray[np.float32], bool]:
    """Convert an image whose intensities are relative: channels that float32 has no room for are moved to 0 to 255.

    Float32 has 24 bits: of 1,000,000,000.3 it keeps 1,000,000,000. Models that normalise see no difference.

    Args:
        planes: (C, ...), of any real type.
        jointly: move all channels by the same amount, for models that normalise them together.

    Returns:
        The image, and whether a channel was moved.
    """
    if planes.dtype.kind == "b" or (planes.dtype.kind in "iuf" and planes.dtype.itemsize <= 2):
        return planes.astype(np.float32), False
    groups = [planes] if jointly else list(planes)
    result = np.empty(planes.shape, np.float32)
    moved = False
    for group, out in zip(groups, [result] if jointly else result, strict=True):
        window = _window(group)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            if window is None:
                out[...] = group
            else:
                moved = True
                out[...] = _moved(group, *window)
    return result, moved


def _window(values: Array) -> tuple[float | int, float | int] | None:
    """Return the least and the greatest value, if float32 has no room for what lies between."""
    good = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not good.size:
        return None
    low, high = good.min().item(), good.max().item()
    if low == high:
        return None
    largest, span = max(abs(low), abs(high)), high / 2 - low / 2
    lost = span * 2 * 2**24 < largest * _STEPS
    return (low, high) if lost or largest > _HUGE or span * 2 < _TINY else None


def _moved(values: Array, low: float, high: float) -> npt.NDArray[np.float64]:
    if values.dtype.kind in "iu":
        # Whole numbers wrap around, so that the difference is exact whatever the sign.
        from_low = (values.astype(np.uint64) - np.array(low).astype(values.dtype).astype(np.uint64)).astype(np.float64)
        return from_low / (high - low) * 255
    halved = values.astype(np.float64) / 2  # the difference of the largest numbers is infinite
    return np.asarray((halved - low / 2) / (high / 2 - low / 2) * 255)
