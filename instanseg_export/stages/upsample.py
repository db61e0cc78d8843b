"""Enlarge maps four times, in arithmetic whose every bit is defined."""

import torch
from torch import Tensor

__all__ = ["enlarge"]


def _blend(x: Tensor, dim: int, size: int) -> Tensor:
    """Interpolate along one dimension, to ``size`` places."""
    place = torch.arange(size, device=x.device)
    # The centre of place i lies at (i + 0.5) / 4 - 0.5 = (2 i - 3) / 8.
    eighths = (2 * place - 3).clamp(min=0)
    before = torch.div(eighths, 8, rounding_mode="floor")
    weight = (eighths - before * 8).to(torch.float32) * 0.125
    # Beyond the last place that has a part in the result lies padding.
    after = torch.minimum(before + 1, torch.full_like(before, (size + 3) // 4 - 1))
    if dim == 1:
        weight = weight[:, None]
    return x.index_select(dim, before) * (1.0 - weight) + x.index_select(dim, after) * weight


def enlarge(x: Tensor, height: int, width: int) -> Tensor:
    """Enlarge maps four times by bilinear interpolation between the centres of pixels, and crop.

    Equal to torch's ``interpolate`` of the maps that end with the result, which libraries compute in different orders.

    Args:
        x: (N, h, w) float32.
        height: of the result, at most 4 h.
        width: of the result, at most 4 w.

    Returns:
        (N, height, width) float32.
    """
    return _blend(_blend(x, 1, height), 2, width)
