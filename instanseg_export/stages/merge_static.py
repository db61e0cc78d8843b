"""Merge instances that overlap: the twin of :mod:`.merge` for the static form of a forward."""

from functools import partial

import torch
from torch import Tensor

from . import loops
from .merge import any_active, share_pixels
from .paint import MaskPixels
from .sentinels import no_owner

__all__ = ["merge_overlapping_static"]

_LAYERS = 24
"""Of masks over one another in a pixel. Images of cells have 3 to 6, tissue that a network does not know up to 16."""

_JOINS = 16
"""Steps along chains of seeds in one object."""


def _join(edge: Tensor, root: Tensor, changes: Tensor) -> tuple[Tensor, Tensor]:
    """Go to the lowest root of all neighbours, and from there to its root."""
    nearest = torch.where(edge, root[None], torch.full([1], no_owner(), device=root.device)).amin(dim=1)
    lowered = torch.minimum(root, nearest)
    lowered = lowered.index_select(0, lowered.to(torch.int64))
    lowered = lowered.index_select(0, lowered.to(torch.int64))
    return lowered, (lowered != root).to(torch.float32).sum()


def _any_change(root: Tensor, changes: Tensor) -> Tensor:
    return changes > 0


def merge_overlapping_static(mask_pixels: MaskPixels, pixels: int, overlap_threshold: Tensor) -> Tensor:
    """Do what :func:`.merge.merge_overlapping` does, with a table of all pairs of N seeds.

    Args:
        mask_pixels: of :func:`.paint_static.list_windows`, of N seeds.
        pixels: of all planes; entries there are in no mask.
        overlap_threshold: float32 scalar.

    Returns:
        (N,) int64: the place of the first seed of each seed's group.
    """
    count, device = mask_pixels.area.shape[0], mask_pixels.area.device
    seed, pixel = mask_pixels.seed, mask_pixels.pixel
    active = (pixel < pixels).to(torch.float32)
    rows = torch.arange(count, device=device) * count
    step = partial(share_pixels, pixels + 1, seed.to(torch.float32), pixel, rows, seed)
    shared = torch.zeros([count * count], device=device)
    _, shared = loops.while_true(any_active, step, (active, shared), bound=_LAYERS)

    shared = shared.view(count, count)
    shared = shared + shared.t()
    union = mask_pixels.area[:, None] + mask_pixels.area[None] - shared
    edge = shared > overlap_threshold * union
    order = torch.arange(count, device=device).to(torch.float32)
    changes = torch.ones([], device=device)
    root, _ = loops.while_true(_any_change, partial(_join, edge), (order, changes), bound=_JOINS)
    return root.to(torch.int64)
