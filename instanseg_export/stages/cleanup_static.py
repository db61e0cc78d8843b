"""Clean masks up: the twin of :mod:`.cleanup` for the static form of a forward.

Its runtimes know no logic on bits, so a mask is of numbers, 0 and 1. A step of a flood takes a whole run of the domain,
a stretch of a row or a column, at once, so that few steps reach the end: a convex shape needs one.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from . import loops
from .running import running_maximum

__all__ = ["clean_up_static"]

_STEPS = 12
"""Masks of cells need 3 to 7; masks of tissue that a network does not know, and the ground around them, up to 11."""


def _widen(mask: Tensor) -> Tensor:
    """Add the neighbours over edges and corners."""
    wide = F.pad(mask, [1, 1, 1, 1])
    wide = torch.maximum(torch.maximum(wide[:, :, :-2], wide[:, :, 1:-1]), wide[:, :, 2:])
    return torch.maximum(torch.maximum(wide[:, :-2], wide[:, 1:-1]), wide[:, 2:])


def _runs(domain: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Return where the run of each pixel begins and where it is over, (N, S, S) int64; pixels outside have none."""
    size = domain.shape[dim]
    along = torch.arange(size, device=domain.device).to(torch.float32).view([-1, 1] if dim == 1 else [1, -1])
    wall = 1.0 - domain
    first = running_maximum(wall * (along + 1.0), dim)
    last = size - running_maximum((wall * (size - along)).flip(dim), dim).flip(dim)
    return first.to(torch.int64), last.to(torch.int64)


def _take_runs(reached: Tensor, first: Tensor, last: Tensor, dim: int) -> Tensor:
    """Return all pixels of the runs in which any is reached."""
    count = F.pad(reached.cumsum(dim), [0, 0] * (2 - dim) + [1, 0])
    return (count.gather(dim, last) > count.gather(dim, first)).to(torch.float32)


def _spread(
    domain: Tensor, rows: tuple[Tensor, Tensor], columns: tuple[Tensor, Tensor], reached: Tensor
) -> tuple[Tensor]:
    wider = _take_runs(_widen(reached) * domain, *rows, 2)
    return (_take_runs(wider, *columns, 1),)


def _still_grows(step: Callable[[Tensor], tuple[Tensor]], reached: Tensor) -> Tensor:
    return (step(reached)[0] != reached).to(torch.float32).flatten(1).amax(dim=1).sum() > 0


def _flood(start: Tensor, domain: Tensor) -> Tensor:
    """Return what can be reached from ``start`` through ``domain`` over edges and corners, (N, S, S) float32."""
    step = partial(_spread, domain, _runs(domain, 2), _runs(domain, 1))
    return loops.while_true(partial(_still_grows, step), step, (start,), bound=_STEPS)[0]


def clean_up_static(mask: Tensor, seed: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Do what :func:`.cleanup.clean_up` does where it is enabled.

    Args:
        mask: (N, S, S) bool.
        seed: (N, S, S) bool, set at each window's seed.
        inside: (N, S, S) bool, not set beyond the image's border.

    Returns:
        (N, S, S) bool: the part of the mask that is kept, and holes, which are no part of it.
    """
    kept = _flood(seed.to(torch.float32), mask.to(torch.float32))
    background = inside.to(torch.float32) * (1.0 - kept)
    far = background * (1.0 - _widen(_widen(_widen(kept))))
    holes = background * (1.0 - _flood(far, background))
    return kept > 0, holes > 0
