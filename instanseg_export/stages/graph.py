"""Connected components of a graph: which nodes hang together, over however many edges."""

from functools import partial

import torch
from torch import Tensor

from . import loops
from .sentinels import no_owner

__all__ = ["connect", "lower"]


def lower(values: Tensor, place: Tensor, candidate: Tensor) -> Tensor:
    """Lower ``values[place]`` to the least candidate for each place.

    Scatters agree everywhere on float32 only, which holds whole numbers up to 2**24: a number goes in two parts, first
    the higher one, and then the lower one of those that have the least higher one.

    Args:
        values: (N,) int64, from 0 to 2**36.
        place: (M,) int64.
        candidate: (M,) int64, likewise.
    """
    part = 4096
    high = torch.div(candidate, part, rounding_mode="trunc")
    low = (candidate - high * part).to(torch.float32)
    none = torch.full(values.shape, no_owner(), device=values.device)
    least_high = none.scatter_reduce(0, place, high.to(torch.float32), "amin", include_self=True)
    least = high.to(torch.float32) == least_high.index_select(0, place)
    least_low = none.scatter_reduce(
        0, place, torch.where(least, low, torch.full_like(low, no_owner())), "amin", include_self=True
    )
    return torch.minimum(values, least_high.to(torch.int64) * part + least_low.to(torch.int64))


def _join(first: Tensor, second: Tensor, parent: Tensor, changes: Tensor) -> tuple[Tensor, Tensor]:
    """Hang the higher of each edge's two parents under the lower one, and shorten all ways to the roots."""
    one, other = parent.index_select(0, first), parent.index_select(0, second)
    lowered = lower(parent, torch.maximum(one, other), torch.minimum(one, other))
    lowered = lowered.index_select(0, lowered)
    lowered = lowered.index_select(0, lowered)
    return lowered, (lowered != parent).to(torch.int64).sum()


def _any_change(parent: Tensor, changes: Tensor) -> Tensor:
    return changes > 0


def connect(first: Tensor, second: Tensor, parent: Tensor) -> Tensor:
    """Return for each node the lowest node that it is connected with, (N,) int64.

    The ways to the roots are halved twice in each round, so that there are few rounds however long the ways are.

    Args:
        first: (E,) int64, a node of each edge.
        second: (E,) int64, the other one.
        parent: (N,) int64, one more edge of each node, to itself or a lower one; N is at least 1.
    """
    changes = torch.ones([], dtype=torch.int64, device=parent.device)
    if torch.jit.is_scripting():
        while bool(_any_change(parent, changes)):
            parent, changes = _join(first, second, parent, changes)
    else:
        parent, _ = loops.while_true(_any_change, partial(_join, first, second), (parent.clone(), changes))
    return parent
