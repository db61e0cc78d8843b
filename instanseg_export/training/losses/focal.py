"""Cross-entropy that pays less attention to what is easy."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["focal_loss", "sigmoid_focal_loss"]


def sigmoid_focal_loss(logits: Tensor, truth: Tensor, gamma: float = 2.0, alpha: float | None = 0.25) -> Tensor:
    """Return -a (1 - p)^gamma log(p) of each element, p the probability of what is true (Lin et al. 2017, equation 5).

    Args:
        logits: of any shape, float32.
        truth: of the same shape, 0 or 1.
        gamma: at least 0; 0 gives cross-entropy.
        alpha: the weight a of ones; zeros have 1 - alpha. None for no weights.
    """
    truth = truth.to(logits.dtype)
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    missed = torch.sigmoid(logits)
    missed = torch.where(truth > 0.5, 1.0 - missed, missed)
    loss = entropy * missed**gamma
    return loss if alpha is None else loss * (alpha * truth + (1.0 - alpha) * (1.0 - truth))


def focal_loss(logits: Tensor, truth: Tensor, gamma: float = 2.0, weights: Tensor | None = None) -> Tensor:
    """Return -w (1 - p)^gamma log(p) of each row, p the softmax of the true class (Lin et al. 2017, equation 5).

    Args:
        logits: (N, classes) float32.
        truth: (N,) int64, the true class of each.
        gamma: at least 0; 0 gives cross-entropy.
        weights: (classes,) float32, w of each class; None for equal ones.

    Returns:
        (N,) float32.
    """
    log = F.log_softmax(logits, dim=1).gather(1, truth[:, None])[:, 0]
    loss = -((1.0 - log.exp()) ** gamma) * log
    return loss if weights is None else loss * weights[truth]
