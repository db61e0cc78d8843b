"""Clean masks up: keep the fragment around the seed and fill its holes."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from . import loops

__all__ = ["clean_up", "pack", "unpack"]


def pack(masks: Tensor) -> Tensor:
    """Lay eight masks over one another, a bit each: (8 * N, S, S) bool to (N, S, S) uint8.

    What follows is logic on single bits, so a byte takes eight windows through it for the price of one.
    """
    layers = masks.view(-1, 8, masks.shape[1], masks.shape[2])
    no_bit = torch.full([], 0, dtype=torch.uint8, device=masks.device)
    packed = torch.zeros_like(layers[:, 0], dtype=torch.uint8)
    for layer, bit in enumerate((1, 2, 4, 8, 16, 32, 64, 128)):
        value = torch.full([], bit, dtype=torch.uint8, device=masks.device)
        packed = packed | torch.where(layers[:, layer], value, no_bit)
    return packed


def unpack(packed: Tensor) -> Tensor:
    """Undo :func:`pack`."""
    layers = []
    for bit in (1, 2, 4, 8, 16, 32, 64, 128):
        layers.append((packed & torch.full([], bit, dtype=torch.uint8, device=packed.device)).to(torch.bool))
    return torch.stack(layers, dim=1).flatten(0, 1)


def _widen(mask: Tensor) -> Tensor:
    """Add the neighbours over edges and corners; a pooling would do, but takes 30 times as long."""
    wide = F.pad(mask, [1, 1, 1, 1])
    wide = wide[:, :, :-2] | wide[:, :, 1:-1] | wide[:, :, 2:]
    return wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]


def _spread(domain: Tensor, reached: Tensor) -> Tensor:
    return _widen(reached) & domain


def _sum(packed: Tensor) -> Tensor:
    # Bits are only ever added, so a mask grows when, and only when, its bytes' sum does.
    return packed.long().sum()


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
        mask: (N, S, S) uint8, of :func:`pack`.
        seed: the same, set at each window's seed.
        inside: the same, not set beyond the image's border.
        enabled: bool scalar; False leaves the masks alone.

    Returns:
        (N, S, S) uint8, packed: the part of the mask that is kept, and holes, which are no part of it.
    """
    connected = _flood(seed, mask, enabled)
    background = inside & ~connected
    far = background & ~_widen(_widen(_widen(connected)))
    holes = background & ~_flood(far, background, enabled)
    return torch.where(enabled, connected, mask), torch.where(enabled, holes, torch.zeros_like(holes))
