"""Clean masks up: keep the fragment around the seed and fill its holes."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from . import loops
from .sentinels import huge

__all__ = ["clean_up"]


def _widen(mask: Tensor) -> Tensor:
    """Add the neighbours over edges and corners; a pooling would do, but takes 30 times as long."""
    wide = F.pad(mask, [1, 1, 1, 1])
    wide = wide[:, :, :, :-2] | wide[:, :, :, 1:-1] | wide[:, :, :, 2:]
    return wide[:, :, :-2] | wide[:, :, 1:-1] | wide[:, :, 2:]


def _spread(domain: Tensor, reached: Tensor) -> Tensor:
    return _widen(reached) & domain


def _count(mask: Tensor) -> Tensor:
    # Exact in float32 up to 2^24 pixels, which is 16 windows of 1024 x 1024, and faster than in integers.
    return mask.to(torch.float32).sum()


def _spread_counted(domain: Tensor, reached: Tensor, count: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # Counting takes as long as a step, so there are several steps to a count.
    wider = _spread(domain, _spread(domain, _spread(domain, reached)))
    return wider, _count(wider), count.clone()


def _still_grows(enabled: Tensor, reached: Tensor, count: Tensor, before: Tensor) -> Tensor:
    return enabled & (count > before)


def _flood(start: Tensor, domain: Tensor, enabled: Tensor) -> Tensor:
    """Return what can be reached from ``start`` through ``domain`` over edges and corners; all (N, 1, S, S) bool.

    A start outside of the domain counts with its neighbours in the domain. There is no limit to the steps.
    """
    reached = _spread(domain, start)
    count = _count(reached)
    before = torch.zeros_like(count)
    if torch.jit.is_scripting():
        while bool(_still_grows(enabled, reached, count, before)):
            reached, count, before = _spread_counted(domain, reached, count, before)
    else:
        state = (reached, count, before)
        reached, _, _ = loops.while_true(partial(_still_grows, enabled), partial(_spread_counted, domain), state)
    return reached


def clean_up(logits: Tensor, inside: Tensor, is_seed: Tensor, threshold: Tensor, enabled: Tensor) -> Tensor:
    """Drop the pixels of a mask that are not connected to its seed, and fill its holes.

    A hole is background that cannot be reached from the pixels more than 3 away from the object: so a pocket between
    the object and the window's border that is no deeper than 3 is filled too.

    Args:
        logits: (N, 1, S, S) float32.
        inside: (N, 1, S, S) bool, False beyond the image's border.
        is_seed: (N, 1, S, S) bool, True at the seed.
        threshold: scalar; pixels of at least this logit are in the mask.
        enabled: bool scalar; False leaves the logits alone.

    Returns:
        (N, 1, S, S): the logits in the kept part, the threshold in holes, -huge() elsewhere.
    """
    kept = _flood(is_seed, logits >= threshold, enabled)
    background = inside & ~kept
    far = background & ~_widen(_widen(_widen(kept)))
    holes = background & ~_flood(far, background, enabled)
    cleaned = torch.where(kept, logits, torch.full_like(logits, -huge()))
    cleaned = torch.where(holes, threshold, cleaned)
    return torch.where(enabled, cleaned, logits)
