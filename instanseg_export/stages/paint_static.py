"""List the pixels of masks: the twin of a part of :mod:`.paint` for the static form of a forward."""

import torch
from torch import Tensor

from .paint import MaskPixels

__all__ = ["list_windows"]


def list_windows(
    logits: Tensor, mask: Tensor, holes: Tensor, pixel: Tensor, threshold: Tensor, pixels: int
) -> MaskPixels:
    """List all pixels of all windows, also those of no mask, which are put at a pixel beyond the last.

    A shorter list would be faster, but a network that sees seeds everywhere fills every window.

    Args:
        logits: (N, S * S) float32 over each seed's window.
        mask: (N, S * S) bool, the pixels of each mask, its holes included.
        holes: (N, S * S) bool, those that were holes.
        pixel: (N, S * S) int64, where they lie in the flattened planes.
        threshold: scalar, the logit that holes are given.
        pixels: of all planes; the pixel beyond.

    Returns:
        of N * S * S entries, for maps of ``pixels + 1`` pixels.
    """
    seed = torch.arange(mask.shape[0], device=mask.device)[:, None].expand_as(mask)
    place = torch.where(mask, pixel, torch.full([1], pixels, dtype=torch.int64, device=mask.device))
    logit = torch.where(holes, threshold, logits)
    return MaskPixels(seed.flatten(), place.flatten(), logit.flatten(), mask.to(torch.float32).sum(dim=1))
