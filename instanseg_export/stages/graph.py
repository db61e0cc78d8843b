"""Connected components of a graph: which nodes hang together, by how many edges ever."""

from functools import partial

import torch
from torch import Tensor

from . import loops

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
    value_high = torch.div(values, part, rounding_mode="trunc")
    high = torch.div(candidate, part, rounding_mode="trunc")
    least_high = value_high.to(torch.float32).scatter_reduce(
        0, place, high.to(torch.float32), "amin", include_self=True
    )
    least_high = least_high.to(torch.int64)
    none = torch.full([1], part, dtype=torch.int64, device=values.device)
    low = torch.where(high == least_high.index_select(0, place), candidate - high * part, none)
    value_low = torch.where(value_high == least_high, values - value_high * part, none)
    least_low = value_low.to(torch.float32).scatter_reduce(0, place, low.to(torch.float32), "amin", include_self=True)
    return least_high * part + least_low.to(torch.int64)


def _join(first: Tensor, second: Tensor, root: Tensor, changes: Tensor) -> tuple[Tensor, Tensor]:
    """Hang the higher of the roots of each edge's two nodes under the lower one, and shorten the ways to the roots."""
    one, other = root.index_select(0, first), root.index_select(0, second)
    lowered = lower(root, torch.maximum(one, other), torch.minimum(one, other))
    lowered = lowered.index_select(0, lowered)
    lowered = lowered.index_select(0, lowered)
    return lowered, (lowered != root).to(torch.int64).sum()


def _any_change(root: Tensor, changes: Tensor) -> Tensor:
    return changes > 0


def connect(first: Tensor, second: Tensor, count: int) -> Tensor:
    """Return for each of ``count`` nodes the lowest node that edges connect it with, (count,) int64.

    Args:
        first: (E,) int64, a node of each edge.
        second: (E,) int64, the other one.
        count: at least 1.
    """
    root = torch.arange(count, device=first.device)
    changes = torch.ones([], dtype=torch.int64, device=first.device)
    if torch.jit.is_scripting():
        while bool(_any_change(root, changes)):
            root, changes = _join(first, second, root, changes)
    else:
        root, _ = loops.while_true(_any_change, partial(_join, first, second), (root, changes))
    return root
