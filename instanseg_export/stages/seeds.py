"""Pick the seeds: the local maxima of the seed map."""

from functools import partial

import torch
from torch import Tensor

from . import loops
from .sentinels import huge

__all__ = ["are_maxima", "maxima_within", "pick_seeds"]


def _step_along_rows(values: Tensor, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    nothing = torch.full_like(values[:, :, :1], -huge())
    before = torch.cat([nothing, torch.maximum(values, before)[:, :, :-1]], dim=2)
    after = torch.cat([torch.maximum(values, after)[:, :, 1:], nothing], dim=2)
    return before, after


def _step_along_columns(values: Tensor, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    nothing = torch.full_like(values[:, :1], -huge())
    before = torch.cat([nothing, torch.maximum(values, before)[:, :-1]], dim=1)
    after = torch.cat([torch.maximum(values, after)[:, 1:], nothing], dim=1)
    return before, after


def _counted(step, values: Tensor, count: Tensor, before: Tensor, after: Tensor):  # type: ignore[no-untyped-def]
    before, after = step(values, before, after)
    return count - 1, before, after


def _is_positive(count: Tensor, before: Tensor, after: Tensor) -> Tensor:
    return count > 0


def maxima_within(values: Tensor, along_rows: bool, radius: int) -> tuple[Tensor, Tensor]:
    """Return the maximum of the ``radius`` values before, and of those after, each value of (P, H, W).

    Along rows these are the values to the left and to the right, else those above and below.
    """
    before = torch.full_like(values, -huge())
    after = torch.full_like(values, -huge())
    for _ in range(radius):
        if along_rows:
            before, after = _step_along_rows(values, before, after)
        else:
            before, after = _step_along_columns(values, before, after)
    return before, after


def _maxima_beside(values: Tensor, along_rows: bool, radius: Tensor) -> tuple[Tensor, Tensor]:
    """Return the maximum of the ``radius`` values before, and of those after, each value of (P, H, W)."""
    if torch.jit.is_scripting():
        return maxima_within(values, along_rows, int(radius))
    else:
        nothing = torch.full_like(values, -huge())
        step = partial(_counted, _step_along_rows if along_rows else _step_along_columns, values)
        _, before, after = loops.while_true(_is_positive, step, (radius.clone(), nothing, nothing.clone()))
        return before, after


def pick_seeds(seed_map: Tensor, peak_distance: Tensor, seed_threshold: Tensor) -> Tensor:
    """Find the pixels that are the maximum of the square window around them and exceed the threshold.

    Among equal values in a window the first in raster order counts as the maximum: a seed must exceed all values
    before it and reach all values after it.

    Args:
        seed_map: (P, H, W) float32.
        peak_distance: int64 scalar, half the window's width in pixels.
        seed_threshold: float32 scalar.

    Returns:
        (K, 3) int64: plane, row and column, in raster order.
    """
    if torch.jit.is_scripting():
        # Some rows at a time, with those around them that count: nine maps are alive while seeds are picked.
        rows, reach = seed_map.shape[1], int(peak_distance)
        picked = torch.empty(seed_map.shape, dtype=torch.bool, device=seed_map.device)
        for first in range(0, rows, 256):
            last = min(first + 256, rows)
            start, end = max(first - reach, 0), min(last + reach, rows)
            found = _are_seeds(seed_map[:, start:end], peak_distance, seed_threshold)
            picked[:, first:last] = found[:, first - start : last - start]
        return torch.nonzero(picked)
    else:
        return torch.nonzero(_are_seeds(seed_map, peak_distance, seed_threshold))


def _are_seeds(seed_map: Tensor, peak_distance: Tensor, seed_threshold: Tensor) -> Tensor:
    """Return (P, H, W) bool; beyond the borders is nothing."""
    left, right = _maxima_beside(seed_map, True, peak_distance)
    rows = torch.maximum(seed_map, torch.maximum(left, right))
    above, below = _maxima_beside(rows, False, peak_distance)
    return are_maxima(seed_map, left, right, above, below, seed_threshold)


def are_maxima(
    seed_map: Tensor, left: Tensor, right: Tensor, above: Tensor, below: Tensor, seed_threshold: Tensor
) -> Tensor:
    """Tell which values of (P, H, W) exceed those before, reach those after, and exceed the threshold."""
    earlier = torch.maximum(above, left)
    later = torch.maximum(below, right)
    return (seed_map > earlier) & (seed_map >= later) & (seed_map > seed_threshold)
