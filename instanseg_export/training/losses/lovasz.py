"""The Lovász hinge: a convex stand-in for one minus the intersection over union of a mask."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["lovasz_hinge"]


def lovasz_hinge(logits: Tensor, truth: Tensor, valid: Tensor | None = None) -> Tensor:
    """Return the binary Lovász hinge of each mask (Berman et al. 2018, equations 8 and 12 and algorithm 1).

    The hinge errors of a mask, 1 - logit for its pixels and 1 + logit for all others, are sorted from the largest down
    and weighted by how much each adds to the Jaccard loss. Those that are not positive weigh nothing and come last, so
    only the positive ones are sorted: of a network that has learnt something, they are a small part.

    Args:
        logits: (K, N) float32, of N pixels in each of K masks.
        truth: (K, N) bool.
        valid: (K, N) bool, the pixels that count; None for all.

    Returns:
        (K,) float32, each at least 0.
    """
    rows = logits.shape[0]
    if valid is not None:
        truth = truth & valid
    errors = 1.0 - torch.where(truth, logits, -logits)
    counting = errors.detach() > 0
    if valid is not None:
        counting = counting & valid
    row, column = torch.nonzero(counting, as_tuple=True)
    error = errors[row, column]
    # Masks one after another, the errors of each from the largest down.
    order = torch.sort(error.detach(), descending=True, stable=True)[1]
    order = order[torch.sort(row[order], stable=True)[1]]
    error, row = error[order], row[order]
    positive = truth[counting][order].to(torch.int64)

    # The sums along each mask, from those along all of them.
    length = torch.bincount(row, minlength=rows)
    start = (length.cumsum(0) - length)[row]
    place = torch.arange(row.shape[0], device=row.device) - start
    passed = positive.cumsum(0)
    passed = passed - (passed - positive)[start]
    total = truth.sum(dim=1)[row]
    jaccard = 1.0 - (total - passed).to(error.dtype) / (total + (place + 1 - passed)).to(error.dtype)
    before = torch.where(place > 0, torch.roll(jaccard, 1), torch.zeros_like(jaccard))
    weighted = error * (jaccard - before)
    return torch.zeros(rows, dtype=error.dtype, device=error.device).index_add(0, row, weighted)
