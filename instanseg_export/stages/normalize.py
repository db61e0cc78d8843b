"""Bring an image to the range that the network was trained on, unless the client has done so already."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .sentinels import huge

__all__ = ["finite", "normalize", "percentiles"]


def finite(image: Tensor) -> Tensor:
    """Replace NaN, infinities and absurd values by the smallest proper value of their channel, or 0 if it has none.

    Args:
        image: (B, C, H, W) float32.
    """
    proper = torch.abs(image) < huge()  # False for NaN and infinities too
    smallest = torch.where(proper, image, torch.full_like(image, huge())).amin(dim=(2, 3), keepdim=True)
    background = torch.where(smallest < huge(), smallest, torch.zeros_like(smallest))
    return torch.where(proper, image, background)


def percentiles(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the 0.1 and 99.9 percentiles of each channel, interpolated linearly as numpy does.

    They are taken from the two ends by a partial selection: sorting a whole image is the slowest way.

    Args:
        image: (B, C, H, W) float32, finite.

    Returns:
        two tensors (B, C, 1, 1).
    """
    flat = image.flatten(2)
    last = flat.shape[2] - 1
    whole = last // 1000
    part = torch.full([1], last % 1000, dtype=torch.float32, device=image.device) / 1000.0
    # One sentinel makes the neighbour exist in images of one pixel, where its weight is zero.
    low = torch.topk(F.pad(flat, [0, 1], value=huge()), whole + 2, dim=2, largest=False)[0]
    high = torch.topk(F.pad(flat, [0, 1], value=-huge()), whole + 2, dim=2, largest=True)[0]
    lower = low[:, :, whole] + (low[:, :, whole + 1] - low[:, :, whole]) * part
    upper = high[:, :, whole] + (high[:, :, whole + 1] - high[:, :, whole]) * part
    return lower[:, :, None, None], upper[:, :, None, None]


def normalize(image: Tensor, mode: Tensor) -> Tensor:
    """Rescale each channel by its 0.1 and 99.9 percentiles where ``mode`` says so, and clamp to [-2, 3].

    Args:
        image: (B, C, H, W) float32, finite.
        mode: int64 scalar: 0 auto, 1 always, 2 never. Auto rescales an image when any channel's percentiles leave
            [-2, 3], the range that a normalised image is clamped to: raw images just work, a tile that the client has
            normalised over the whole slide is not stretched again, and one hot pixel does not decide.

    Returns:
        (B, C, H, W) float32 in [-2, 3].
    """
    lowest, highest, smallest_range = -2.0, 3.0, 1e-6
    lower, upper = percentiles(image)
    outside = ((lower < lowest) | (upper > highest)).to(torch.int64).sum(dim=1, keepdim=True) > 0
    wanted = (mode == 1) | ((mode == 0) & outside)
    rescaled = (image - lower) / (upper - lower).clamp(min=smallest_range)
    return torch.where(wanted, rescaled, image).clamp(min=lowest, max=highest)
