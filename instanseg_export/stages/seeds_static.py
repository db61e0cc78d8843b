"""Pick the seeds, at most so many: the twin of :mod:`.seeds` for the static form of a forward."""

import torch
from torch import Tensor

from .seeds import are_maxima, maxima_within

__all__ = ["first_seeds"]


def first_seeds(seed_map: Tensor, peak_distance: int, seed_threshold: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Find what :func:`.seeds.pick_seeds` finds, and keep the first ``most`` in raster order.

    Args:
        seed_map: (P, H, W) float32, of at most 2**24 pixels in all.
        peak_distance: half the window's width in pixels.
        seed_threshold: float32 scalar.
        most: N.

    Returns:
        (N, 4) int64, plane, row, column, and 1, filled up with zeros, as :func:`.windows.chunk_seeds` arranges them;
        and (1,) float32, how many seeds there are, also of those beyond N.
    """
    left, right = maxima_within(seed_map, True, peak_distance)
    rows = torch.maximum(seed_map, torch.maximum(left, right))
    above, below = maxima_within(rows, False, peak_distance)
    is_seed = are_maxima(seed_map, left, right, above, below, seed_threshold).flatten()

    count = is_seed.to(torch.float32).cumsum(0)
    # One slot more, for all that is no seed or is beyond the last.
    slot = torch.where(is_seed & (count <= most), count - 1.0, torch.full([1], most, dtype=torch.float32))
    pixel = torch.arange(is_seed.shape[0], device=seed_map.device).to(torch.float32)
    chosen = torch.full([most + 1], -1.0, device=seed_map.device)
    chosen = chosen.scatter_reduce(0, slot.to(torch.int64), pixel, "amax", include_self=True)[:most]

    there = (chosen >= 0).to(torch.int64)
    place = chosen.clamp(min=0).to(torch.int64)
    height, width = seed_map.shape[1], seed_map.shape[2]
    line = torch.div(place, width, rounding_mode="floor")
    plane = torch.div(line, height, rounding_mode="floor")
    seeds = torch.stack([plane, line - plane * height, place - line * width, there], dim=1)
    return seeds * there[:, None], count[-1:]
