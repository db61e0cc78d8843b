"""The losses of the networks that look at each cell: its class, or whether it is positive for a marker."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..losses.focal import sigmoid_focal_loss

__all__ = ["class_loss", "positivity_loss"]


def class_loss(logits: Tensor, truth: Tensor, source: Tensor, classes: int) -> Tensor:
    """Return the mean cross-entropy of a classifier that learns from several sets of labels at once.

    A classifier that is trained on labels by people and on labels by another network gives the logits of one set after
    the other, and of each crop only those of its own set count (thesis of Goldsborough, section 5.3.3).

    Args:
        logits: (N, sets x classes).
        truth: (N,) int64, the class of each crop; below 0 where it is unknown.
        source: (N,) int64, the set that each crop's label is from.
        classes: of a set.

    Returns:
        A scalar; 0 where no label is known.
    """
    known = truth >= 0
    sets = logits.view(len(logits), -1, classes)
    own = sets[torch.arange(len(logits), device=logits.device), source]
    entropy = F.cross_entropy(own, truth.clamp(min=0), reduction="none")
    return torch.where(known, entropy, torch.zeros_like(entropy)).sum() / known.sum().clamp(min=1)


def positivity_loss(logits: Tensor, truth: Tensor, present: Tensor, gamma: float = 2.0) -> Tensor:
    """Return the mean focal loss of the cells of all bags (thesis of Goldsborough, section 6.3; Lin et al. 2017).

    Args:
        logits: (bags, n), whether each cell is positive.
        truth: (bags, n), 0 or 1.
        present: (bags, n) bool, False for what only fills a bag.
        gamma: how much less what is easy counts.

    Returns:
        A scalar; 0 where all bags are empty.
    """
    loss = sigmoid_focal_loss(logits, truth, gamma, alpha=None)
    return torch.where(present, loss, torch.zeros_like(loss)).sum() / present.sum().clamp(min=1)
