"""Paint masks into label maps: each pixel goes to the instance that is most certain of it."""

from typing import List, NamedTuple  # noqa: UP035 -- TorchScript reads them

import torch
from torch import Tensor

from .sentinels import huge, no_owner
from .windows import WindowGrid, window_corners

__all__ = ["MaskPixels", "join_mask_pixels", "list_mask_pixels", "paint"]


class MaskPixels(NamedTuple):
    """The pixels of all masks: pairs of an instance and a pixel.

    Attributes:
        seed: (M,) int64, place of the instance's seed.
        pixel: (M,) int64, in the flattened planes.
        logit: (M,) float32.
        area: (K,) float32, pixels of each seed's mask.
    """

    seed: Tensor
    pixel: Tensor
    logit: Tensor
    area: Tensor


def list_mask_pixels(
    logits: Tensor, mask: Tensor, holes: Tensor, seeds: Tensor, threshold: Tensor, grid: WindowGrid
) -> MaskPixels:
    """List the pixels of each mask.

    Args:
        logits: (K, S * S) float32 over each seed's window.
        mask: (K, S * S) bool, the pixels of each mask, its holes included.
        holes: (K, S * S) bool, those that were holes.
        seeds: (K, 4) int64 plane, row, column, and 1 (0 for filling).
        threshold: scalar, the logit that holes are given.
        grid: the windows' size, S / 2, and that of a plane.
    """
    size, width = 2 * grid.half, grid.width
    if torch.jit.is_scripting():
        found = torch.nonzero(mask.flatten())[:, 0]
    else:
        # ONNX Runtime takes several times as long to list places as to copy what is chosen. In PyTorch copying has the
        # same speed, and takes 12 bytes a pixel of all windows.
        places = torch.arange(mask.numel(), dtype=torch.int32, device=mask.device)
        found = torch.masked_select(places, mask.flatten()).to(torch.int64)
    # Nothing is negative, and truncation is the cheapest division in ONNX.
    seed = torch.div(found, size * size, rounding_mode="trunc")
    place = found - seed * (size * size)
    top, left = window_corners(seeds, grid)
    first = (seeds[:, 0] * grid.height + top) * width + left
    row = torch.div(place, size, rounding_mode="trunc")
    pixel = first.index_select(0, seed) + row * width + (place - row * size)
    logit = torch.where(holes.flatten().index_select(0, found), threshold, logits.flatten().index_select(0, found))
    return MaskPixels(seed, pixel, logit, mask.to(torch.float32).sum(dim=1))


def join_mask_pixels(chunks: List[MaskPixels], length: int) -> MaskPixels:  # noqa: UP006
    """Put the mask pixels of chunks of ``length`` windows one after another."""
    seed: List[Tensor] = []  # noqa: UP006
    for place, chunk in enumerate(chunks):
        seed.append(chunk.seed + place * length)
    return MaskPixels(
        torch.cat(seed),
        torch.cat([chunk.pixel for chunk in chunks]),
        torch.cat([chunk.logit for chunk in chunks]),
        torch.cat([chunk.area for chunk in chunks]),
    )


def paint(mask_pixels: MaskPixels, pixels: int) -> Tensor:
    """Give each pixel to the instance of highest logit, and among equal ones to the first.

    Args:
        mask_pixels: the masks.
        pixels: P * H * W.

    Returns:
        (pixels,) float32: place of the owner's seed, no_owner() for background.
    """
    lowest = torch.full([pixels], -huge(), device=mask_pixels.logit.device)
    best = lowest.scatter_reduce(0, mask_pixels.pixel, mask_pixels.logit, "amax", include_self=True)
    wins = mask_pixels.logit == best.index_select(0, mask_pixels.pixel)
    seed = mask_pixels.seed.to(torch.float32)
    claim = torch.where(wins, seed, torch.full_like(seed, no_owner()))
    unowned = torch.full([pixels], no_owner(), device=mask_pixels.logit.device)
    return unowned.scatter_reduce(0, mask_pixels.pixel, claim, "amin", include_self=True)
