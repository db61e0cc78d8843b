"""Clean masks up: keep the fragment around the seed and fill its holes."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from . import loops

__all__ = ["bits_of_word", "clean_up", "most_windows", "pack", "unpack"]


def most_windows() -> int:
    """How many windows fit into a word: a bit each, without the sign, which not every runtime treats as a bit."""
    return 31


def bits_of_word(windows: int, device: torch.device) -> Tensor:
    """Return the bit of each window of a word, (windows, 1, 1) int32, of at most :func:`most_windows`."""
    return torch.tensor([1 << place for place in range(windows)], dtype=torch.int32, device=device)[:, None, None]


def pack(masks: Tensor, bits: Tensor) -> Tensor:
    """Lay masks over one another, a bit each: (N * windows, S, S) bool to (N, S, S) int32.

    What follows is logic on single bits, so a word takes all its windows through it for the price of one.

    Args:
        masks: bool.
        bits: of :func:`bits_of_word`.
    """
    windows = bits.shape[0]
    layers = masks.view(-1, windows, masks.shape[1], masks.shape[2])
    words = torch.where(layers, bits, torch.zeros_like(bits))
    # Not a sum: some runtimes add whole numbers as floats, which have 24 bits.
    while windows > 1:
        half = windows // 2
        halves = words[:, :half] | words[:, half : 2 * half]
        words = halves if windows == 2 * half else torch.cat([halves, words[:, 2 * half :]], dim=1)
        windows = windows - half
    return words[:, 0]


def unpack(packed: Tensor, bits: Tensor) -> Tensor:
    """Undo :func:`pack`."""
    return (packed[:, None] & bits).to(torch.bool).flatten(0, 1)


def _widen(mask: Tensor) -> Tensor:
    """Add the neighbours over edges and corners; a pooling would do, but takes 30 times as long."""
    wide = F.pad(mask, [1, 1, 1, 1], value=0.0)  # said, for not every runtime has a default for whole numbers
    wide = wide[:, :, :-2] | wide[:, :, 1:-1] | wide[:, :, 2:]
    return wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]


def _spread(domain: Tensor, reached: Tensor) -> Tensor:
    return _widen(reached) & domain


def _spread_counted(domain: Tensor, reached: Tensor, total: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # The step reads all that the condition does: a value that only the condition reads breaks TorchScript's optimiser,
    # which then fails from the second call on. Counting takes as long as a step, so there are several steps to a count.
    wider = _spread(domain, _spread(domain, _spread(domain, reached)))
    return wider, total + (wider != reached).to(torch.int64).sum(), total.clone()


def _still_grows(enabled: Tensor, reached: Tensor, total: Tensor, before: Tensor) -> Tensor:
    return enabled & (total != before)


def _flood(start: Tensor, domain: Tensor, enabled: Tensor) -> Tensor:
    """Return what can be reached from ``start`` through ``domain`` over edges and corners; all packed.

    A start outside of the domain counts with its neighbours in the domain. There is no limit to the steps.
    """
    reached = _spread(domain, start)
    before = torch.zeros([], dtype=torch.int64, device=domain.device)
    total = torch.ones_like(before)  # words that have changed; the start counts for one
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
