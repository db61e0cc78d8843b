"""Clean masks up: keep the fragment around the seed and fill its holes."""

from functools import partial
from typing import List  # noqa: UP035 -- TorchScript reads it

import torch
import torch.nn.functional as F
from torch import Tensor

from . import loops

__all__ = ["clean_up", "pack", "unpack"]


def pack(masks: Tensor, windows: int) -> Tensor:
    """Lay masks over one another, a bit each: (N * windows, S, S) bool to (N, S, S) int32.

    What follows is logic on single bits, so a word takes all its windows through it for the price of one.

    Args:
        masks: bool.
        windows: in a word, at most 32.
    """
    layers = masks.view(-1, windows, masks.shape[1], masks.shape[2])
    bits = torch.stack(_bits(windows, masks.device))[:, None, None]
    return torch.where(layers, bits, torch.zeros_like(bits)).sum(dim=1, dtype=torch.int32)


def unpack(packed: Tensor, windows: int) -> Tensor:
    """Undo :func:`pack`."""
    layers: List[Tensor] = []  # noqa: UP006
    for bit in _bits(windows, packed.device):
        layers.append((packed & bit).to(torch.bool))
    return torch.stack(layers, dim=1).flatten(0, 1)


def _bits(windows: int, device: torch.device) -> List[Tensor]:  # noqa: UP006
    bits: List[Tensor] = []  # noqa: UP006
    for place in range(windows):
        # The last of 32 bits is the sign.
        bits.append(torch.full([], 1 << place if place < 31 else -(1 << 31), dtype=torch.int32, device=device))
    return bits


def _widen(mask: Tensor) -> Tensor:
    """Add the neighbours over edges and corners; a pooling would do, but takes 30 times as long."""
    wide = F.pad(mask, [1, 1, 1, 1])
    wide = wide[:, :, :-2] | wide[:, :, 1:-1] | wide[:, :, 2:]
    return wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]


def _spread(domain: Tensor, reached: Tensor) -> Tensor:
    return _widen(reached) & domain


def _sum(packed: Tensor) -> Tensor:
    # Bits are only ever added, so a mask grows when, and only when, the sum of its words, taken without sign, does.
    return (packed.long() & 0xFFFFFFFF).sum()


def _spread_counted(domain: Tensor, reached: Tensor, total: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # The step reads all that the condition does: a value that only the condition reads breaks TorchScript's optimiser,
    # which then fails from the second call on. Summing takes as long as a step, so there are several steps to a sum.
    wider = _spread(domain, _spread(domain, _spread(domain, reached)))
    return wider, _sum(wider), total.clone()


def _still_grows(enabled: Tensor, reached: Tensor, total: Tensor, before: Tensor) -> Tensor:
    return enabled & (total > before)


def _flood(start: Tensor, domain: Tensor, enabled: Tensor) -> Tensor:
    """Return what can be reached from ``start`` through ``domain`` over edges and corners; all packed.

    A start outside of the domain counts with its neighbours in the domain. There is no limit to the steps.
    """
    reached = _spread(domain, start)
    total = _sum(reached)
    before = torch.zeros_like(total)
    if torch.jit.is_scripting():
        while bool(_still_grows(enabled, reached, total, before)):
            reached, total, before = _spread_counted(domain, reached, total, before)
    else:
        state = (reached, total, before)
        reached, _, _ = loops.while_true(partial(_still_grows, enabled), partial(_spread_counted, domain), state)
    return reached


def clean_up(mask: Tensor, seed: Tensor, inside: Tensor, enabled: Tensor) -> tuple[Tensor, Tensor]:
    """Drop the pixels of a mask that are not connected to its seed, and find its holes.

    A hole is background that cannot be reached from the pixels more than 3 away from the object: so a pocket between
    the object and the window's border that is no deeper than 3 is filled too.

    Args:
        mask: (N, S, S) int32, of :func:`pack`.
        seed: the same, set at each window's seed.
        inside: the same, not set beyond the image's border.
        enabled: bool scalar; False leaves the masks alone.

    Returns:
        (N, S, S) int32, packed: the part of the mask that is kept, and holes, which are no part of it.
    """
    connected = _flood(seed, mask, enabled)
    background = inside & ~connected
    far = background & ~_widen(_widen(_widen(connected)))
    holes = background & ~_flood(far, background, enabled)
    return torch.where(enabled, connected, mask), torch.where(enabled, holes, torch.zeros_like(holes))
