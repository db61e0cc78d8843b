"""Bring an image to the range of intensities that a classifier was trained on."""

import torch
from torch import Tensor

from .normalize import percentiles

__all__ = ["divide_raw"]


def divide_raw(image: Tensor, mode: Tensor, divisor: float) -> Tensor:
    """Divide images that are raw, and leave alone those that a client has normalised.

    An image is raw when a channel's 0.1 or 99.9 percentile leaves [-2, 3], by the rule of
    :func:`stages.normalize.normalize`.

    Args:
        image: (B, C, H, W) float32, finite.
        mode: int64 scalar of the setting ``normalize``; at 2, "never", every image counts as normalised.
        divisor: 255 for images of 8 bits.
    """
    lower, upper = percentiles(image)
    outside = ((lower < -2.0) | (upper > 3.0)).to(torch.int64).sum(dim=1, keepdim=True) > 0
    return torch.where(outside & (mode != 2), image / divisor, image)
