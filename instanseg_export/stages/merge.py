"""Merge instances that overlap: several seeds in one object."""

from functools import partial
from typing import List  # noqa: UP035 -- TorchScript reads it

import torch
from torch import Tensor

from . import loops
from .graph import connect
from .paint import MaskPixels
from .sentinels import no_owner
from .windows import WindowGrid

__all__ = ["any_active", "merge_overlapping", "share_pixels"]


def share_pixels(
    pixels: int, seed: Tensor, pixel: Tensor, base: Tensor, place: Tensor, active: Tensor, shared: Tensor
) -> tuple[Tensor, Tensor]:
    """Count, for the first active instance of each pixel, the pixels that it shares with each later one.

    The first then leaves its pixels, so that the next round counts for the second, and no pair is counted twice.
    """
    claim = torch.where(active > 0, seed, torch.full_like(seed, no_owner()))
    first = torch.full([pixels], no_owner(), device=seed.device).scatter_reduce(
        0, pixel, claim, "amin", include_self=True
    )
    first = first.index_select(0, pixel)
    active = torch.where(seed > first, active, torch.zeros_like(active))
    partner = torch.where(active > 0, first, torch.zeros_like(first)).to(torch.int64)
    slot = base.index_select(0, partner) + place
    slot = torch.where(active > 0, slot, torch.zeros_like(slot))
    return active, shared.scatter_add(0, slot, active)


def _choose(wanted: Tensor, lists: List[Tensor]) -> List[Tensor]:  # noqa: UP006
    """Shorten several lists of the same length to the wanted places.

    ONNX Runtime copies what is chosen several times as fast as it lists the places and gathers from them.
    """
    chosen: List[Tensor] = []  # noqa: UP006
    for values in lists:
        chosen.append(torch.masked_select(values, wanted))
    if not torch.jit.is_scripting():
        for values in chosen:
            # An exporter does not see that they are of one length.
            torch._check(values.shape[0] == chosen[0].shape[0])
    return chosen


def _next_round(
    pixels: int, seed: Tensor, pixel: Tensor, base: Tensor, linear: Tensor, shared: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Do one round of :func:`share_pixels` and keep only the instances that are still in a pixel."""
    first = torch.full([pixels], no_owner(), device=seed.device).scatter_reduce(
        0, pixel, seed, "amin", include_self=True
    )
    first = first.index_select(0, pixel)
    seed, pixel, partner = _choose(seed > first, [seed, pixel, first])
    slot = base.index_select(0, partner.to(torch.int64)) + linear.index_select(0, seed.to(torch.int64))
    return seed, pixel, shared.scatter_add(0, slot, torch.ones_like(seed))


def _size(number: Tensor) -> int:
    if torch.jit.is_scripting():
        return int(number.item())
    else:
        # Not int(...), which would fix the size at export.
        size = number.item()
        torch._check(size >= 1)
        return size  # type: ignore[return-value]


def any_active(active: Tensor, shared: Tensor) -> Tensor:
    """Tell whether :func:`share_pixels` has more to count."""
    return active.sum() > 0


def merge_overlapping(
    mask_pixels: MaskPixels,
    seeds: Tensor,
    planes: int,
    grid: WindowGrid,
    peak_distance: Tensor,
    overlap_threshold: Tensor,
) -> Tensor:
    """Find the instances that are one because their IoU exceeds the threshold, transitively.

    Overlaps are counted in a table of one row per seed and one column per place that a seed with an overlapping window
    can take beside it. Seeds are more than ``peak_distance`` apart, so a grid of cells as wide holds one seed in each:
    the table's width depends on the window alone, and memory grows linearly with the number of objects.

    Args:
        mask_pixels: the masks.
        seeds: (K, 4) int64 plane, row, column, and 1 (0 for filling).
        planes: how many there are.
        grid: the windows' size and that of a plane.
        peak_distance: int64 scalar, of :func:`stages.seeds.pick_seeds`.
        overlap_threshold: float32 scalar.

    Returns:
        (K,) int64: the place of the first seed of each seed's group.
    """
    count = seeds.shape[0]
    half, height, width = grid.half, grid.height, grid.width
    pixels = planes * height * width
    device = seeds.device
    cell = peak_distance + 1
    cell_y = torch.div(seeds[:, 1], cell, rounding_mode="floor")
    cell_x = torch.div(seeds[:, 2], cell, rounding_mode="floor")
    # Windows moved into the image overlap although their seeds are up to 4 * half - 2 pixels apart.
    reach = torch.div(torch.full([], 4 * half - 2, dtype=torch.int64, device=device), cell, rounding_mode="floor") + 1
    columns = 2 * reach + 1
    slots = (reach + 1) * columns

    seed, pixel = mask_pixels.seed.to(torch.float32), mask_pixels.pixel
    # A pair's slot is the first seed's row plus the second's place relative to the first. Places are linear in the
    # grid's coordinates, so each seed's part of the slot is known beforehand.
    linear = cell_y * columns + cell_x
    base = torch.arange(count, device=device) * slots + (reach - linear)
    shared = torch.zeros([_size(count * slots)], device=device)
    # Most pixels have few instances, so the list shrinks fast. An exporter's loop cannot shrink it: the first rounds
    # stand outside of the loop, which is left with the few pixels of many instances.
    for _ in range(8):
        seed, pixel, shared = _next_round(pixels, seed, pixel, base, linear, shared)
    place = linear.index_select(0, seed.to(torch.int64))
    active = torch.ones_like(seed)
    if torch.jit.is_scripting():
        while bool(any_active(active, shared)):
            active, shared = share_pixels(pixels, seed, pixel, base, place, active, shared)
    else:
        step = partial(share_pixels, pixels, seed, pixel, base, place)
        _, shared = loops.while_true(any_active, step, (active, shared))

    slot = torch.nonzero(shared)[:, 0]
    overlap = shared.index_select(0, slot)
    first = torch.div(slot, slots, rounding_mode="floor")
    relative = slot - first * slots
    down = torch.div(relative, columns, rounding_mode="floor")
    right = relative - down * columns - reach
    # Cells are at least two pixels wide.
    rows_of_cells, columns_of_cells = height // 2 + 1, width // 2 + 1
    where = (seeds[:, 0] * rows_of_cells + cell_y) * columns_of_cells + cell_x
    empty = torch.full([planes * rows_of_cells * columns_of_cells], no_owner(), device=device)
    order = torch.arange(count, device=device).to(torch.float32)
    seed_of_cell = empty.scatter_reduce(0, where, order, "amin", include_self=True)
    beside = where.index_select(0, first) + down * columns_of_cells + right
    second = seed_of_cell.index_select(0, beside).to(torch.int64)

    union = mask_pixels.area.index_select(0, first) + mask_pixels.area.index_select(0, second) - overlap
    edge = torch.nonzero(overlap > overlap_threshold * union)[:, 0]
    return connect(first.index_select(0, edge), second.index_select(0, edge), torch.arange(count, device=device))
