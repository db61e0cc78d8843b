"""Bring an image to the range that the network was trained on, unless the client has done so already."""

import torch
from torch import Tensor

from .sentinels import huge

__all__ = ["finite", "normalize", "percentiles", "rescale", "standardize"]


def finite(image: Tensor) -> Tensor:
    """Replace NaN, infinities and absurd values by the smallest proper value of their channel, or 0 if it has none.

    Args:
        image: (B, C, H, W) float32, or (B, C, D, H, W).
    """
    proper = (image < huge()) & (image > -huge())  # False for NaN too
    smallest = torch.where(proper, image, torch.full([1], huge(), device=image.device))
    smallest = (
        smallest.amin(dim=(2, 3, 4), keepdim=True) if image.dim() == 5 else smallest.amin(dim=(2, 3), keepdim=True)
    )
    background = torch.where(smallest < huge(), smallest, torch.zeros_like(smallest))
    return torch.where(proper, image, background)


def percentiles(image: Tensor, low: int = 1, high: int = 1) -> tuple[Tensor, Tensor]:
    """Return two percentiles of each channel, interpolated linearly as numpy does.

    They are taken from the two ends by a partial selection: sorting a whole image is the slowest way. The selection is
    between blocks of 16 values first: a channel's N outermost values lie in the N blocks whose own are outermost.

    Args:
        image: (B, C, H, W) float32, finite; or (B, C, D, H, W).
        low: the lower one, in thousandths from the lowest value: 1 is the 0.1 percentile.
        high: the upper one, in thousandths from the highest value: 1 is the 99.9 percentile.

    Returns:
        two tensors (B, C, 1, 1), or (B, C, 1, 1, 1).
    """
    flat = image.flatten(2)
    last = flat.shape[2] - 1
    lower = _rank(flat, last * low, False)
    upper = _rank(flat, last * high, True)
    if image.dim() == 5:
        return lower[:, :, None, None, None], upper[:, :, None, None, None]
    return lower[:, :, None, None], upper[:, :, None, None]


def _rank(flat: Tensor, thousandths: int, largest: bool) -> Tensor:
    """Return the value (B, C) that stands so many thousandths of a place from one end of the sorted values."""
    whole = thousandths // 1000
    part = torch.full([1], thousandths % 1000, dtype=torch.float32, device=flat.device) / 1000.0
    # Without a part there is no neighbour either, as in images of one pixel.
    neighbour = (thousandths + 999) // 1000
    # One block more than the values fill, so that there are as many blocks as values are wanted in images of any size.
    count, blocks = neighbour + 1, (flat.shape[2] + 31) // 16
    missing = [flat.shape[0], flat.shape[1], 16 * blocks - flat.shape[2]]
    filling = torch.full(missing, -huge() if largest else huge(), device=flat.device)
    table = torch.cat([flat, filling], dim=2).view(flat.shape[0], flat.shape[1], 16, blocks)
    outermost = table.amax(dim=2) if largest else table.amin(dim=2)
    chosen = torch.topk(outermost, count, dim=2, largest=largest)[1]
    candidates = table.gather(3, chosen[:, :, None].expand(-1, -1, 16, -1)).flatten(2)
    ends = torch.topk(candidates, count, dim=2, largest=largest)[0]
    return ends[:, :, whole] + (ends[:, :, neighbour] - ends[:, :, whole]) * part


def normalize(image: Tensor, mode: Tensor, low: int = 1, high: int = 1) -> Tensor:
    """Rescale each channel by two percentiles where ``mode`` says so, and clamp to [-2, 3].

    Args:
        image: (B, C, H, W) float32, finite; or (B, C, D, H, W).
        mode: int64 scalar: 0 auto, 1 always, 2 never. Auto rescales an image when any channel's percentiles leave
            [-2, 3], the range that a normalised image is clamped to: raw images just work, a tile that the client has
            normalised over the whole slide is not stretched again, and one hot pixel does not decide.
        low: see :func:`percentiles`.
        high: see :func:`percentiles`.

    Returns:
        (B, C, H, W) float32 in [-2, 3], or (B, C, D, H, W).
    """
    return rescale(image, mode, low, high).clamp_(min=-2.0, max=3.0)


def rescale(image: Tensor, mode: Tensor, low: int = 1, high: int = 1) -> Tensor:
    """Do what :func:`normalize` does, without the clamp."""
    lowest, highest, smallest_range = -2.0, 3.0, 1e-6
    lower, upper = percentiles(image, low, high)
    outside = ((lower < lowest) | (upper > highest)).to(torch.int64).sum(dim=1, keepdim=True) > 0
    wanted = (mode == 1) | ((mode == 0) & outside)
    # An image that stays as it is has nothing taken away and is divided by one, which saves a pass over it.
    offset = torch.where(wanted, lower, torch.zeros_like(lower))
    scale = torch.where(wanted, (upper - lower).clamp(min=smallest_range), torch.ones_like(lower))
    return (image - offset).div_(scale)


def standardize(image: Tensor, mode: Tensor) -> Tensor:
    """Bring each image to mean 0 and standard deviation 1, over all its channels, unless ``mode`` says never.

    That does not depend on how a client has scaled the image, so auto has nothing to find out.

    Args:
        image: (B, C, H, W) float32, finite.
        mode: int64 scalar: 0 auto, 1 always, 2 never.

    Returns:
        (B, C, H, W) float32; a flat image becomes 0.
    """
    # Between 0 and 1 first: sums of large raw values lose digits.
    lowest = image.amin(dim=(1, 2, 3), keepdim=True)
    span = (image.amax(dim=(1, 2, 3), keepdim=True) - lowest).clamp(min=1e-20)
    unit = (image - lowest) / span
    centred = unit - unit.mean(dim=(1, 2, 3), keepdim=True)
    deviation = torch.sqrt((centred * centred).mean(dim=(1, 2, 3), keepdim=True))
    return torch.where(mode == 2, image, centred / deviation.clamp(min=1e-6))
