"""The Dice loss of masks."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["dice_loss"]


def dice_loss(logits: Tensor, truth: Tensor, valid: Tensor | None = None, smooth: float = 1e-5) -> Tensor:
    """Return 1 - (2 sum(p g) + s) / (sum(p) + sum(g) + s) of each mask, p the sigmoid (Milletari et al. 2016).

    Args:
        logits: (K, N) float32, of N pixels in each of K masks.
        truth: (K, N) bool.
        valid: (K, N) bool, the pixels that count; None for all.
        smooth: s, which keeps an empty mask from dividing by zero.

    Returns:
        (K,) float32, from 0 to 1.
    """
    probability = torch.sigmoid(logits)
    target = truth.to(logits.dtype)
    if valid is not None:
        probability, target = probability * valid, target * valid
    shared = (probability * target).sum(dim=1)
    return 1.0 - (2.0 * shared + smooth) / (probability.sum(dim=1) + target.sum(dim=1) + smooth)
