"""Keep one connected part of each instance: painting and matching can leave several."""

from typing import Optional

import torch
from torch import Tensor

from .graph import connect, lower
from .number import largest_label
from .sentinels import nobody

__all__ = ["connected_cells", "connected_labels", "connected_owner", "connected_part"]


def _places(wanted: Tensor) -> Tensor:
    """List the places (N,) int64 of what is wanted in a flat mask."""
    if torch.jit.is_scripting():
        return torch.nonzero(wanted)[:, 0]
    else:
        # ONNX Runtime takes several times as long to list places as to copy what is chosen.
        places = torch.arange(wanted.shape[0], dtype=torch.int32, device=wanted.device)
        return torch.masked_select(places, wanted).to(torch.int64)


def connected_part(
    instance: Tensor,
    count: int,
    min_size: Tensor,
    marked: Optional[Tensor] = None,  # noqa: UP045 -- TorchScript reads it
) -> Tensor:
    """Tell which pixels are in their instance's largest part, and among equally large ones in the first in raster order.

    A part is what hangs together over edges (4-connectivity). Parts are joined run by run: a run is a row's stretch of
    one instance, and two runs that touch are an edge of a graph. A run is some ten pixels long, so what costs is a few
    passes over the pixels, whatever the shape of the instances.

    Args:
        instance: (P, H, W) int64, 0 for background.
        count: exceeds the largest instance.
        min_size: scalar; parts of fewer pixels are not kept.
        marked: (P, H, W) bool; a part with such a pixel counts as larger than one without.

    Returns:
        (P, H, W) bool, True where the pixel is kept; background never is.
    """
    width = instance.shape[2]
    # What is compared pixel by pixel takes half the time in 32 bits.
    number = instance.to(torch.int32)
    start = torch.cat([torch.ones_like(number[:, :, :1], dtype=torch.bool), number[:, :, 1:] != number[:, :, :-1]], dim=2)
    above, below = number[:, :-1], number[:, 1:]
    # Two runs that touch do so from the column on in which the later one of them starts.
    touches = (below == above) & (below > 0) & (start[:, 1:] | start[:, :-1])
    touches = torch.cat([torch.zeros_like(start[:, :1]), touches], dim=1)

    run = start.flatten().cumsum(0, dtype=torch.int32) - 1
    first_pixel = _places(start.flatten())
    runs = first_pixel.shape[0]
    # Background has runs too, so that each one ends where the next one starts.
    ends = torch.cat([first_pixel, torch.full_like(first_pixel[:1], run.shape[0])])
    after = ends.index_select(0, torch.arange(1, runs + 1, device=run.device))
    instance_of = number.flatten().index_select(0, first_pixel).to(torch.int64)
    edge = _places(touches.flatten())
    second = run.index_select(0, edge).to(torch.int64)
    first = run.index_select(0, edge - width).to(torch.int64)
    part = connect(first, second, runs)

    none = torch.zeros([runs], device=run.device)
    area = none.scatter_add(0, part, (after - first_pixel).to(torch.float32))
    size = area
    if marked is not None:
        marks = torch.cat([torch.zeros_like(run[:1]), marked.flatten().cumsum(0, dtype=torch.int32)])
        marks_of = marks.index_select(0, after) - marks.index_select(0, first_pixel)
        most = none.scatter_reduce(0, part, marks_of.to(torch.float32), "amax", include_self=True)
        size = torch.where(most > 0, torch.full_like(area, nobody()), area)
    size = size.index_select(0, part)
    largest = torch.zeros([count], device=run.device).scatter_reduce(0, instance_of, size, "amax", include_self=True)
    # A part's root is the run with its first pixel, so the lowest root is that of the first part.
    candidate = torch.where(size == largest.index_select(0, instance_of), part, torch.full_like(part, runs))
    chosen = lower(torch.full([count], runs, dtype=torch.int64, device=run.device), instance_of, candidate)
    kept = (part == chosen.index_select(0, instance_of)) & (instance_of > 0)
    kept = kept & (area.index_select(0, part) >= min_size)
    return kept.index_select(0, run).view(instance.shape)


def connected_owner(
    owner: Tensor, root: Tensor, planes: int, height: int, width: int, min_size: Tensor, enabled: Tensor
) -> Tensor:
    """Take from each painted instance what is not connected to its largest part.

    Args:
        owner: (P * H * W,) float32 of :func:`stages.paint.paint`.
        root: (K,) int64 of :func:`stages.merge.merge_overlapping`.
        planes: P.
        height: H.
        width: W.
        min_size: scalar; see :func:`connected_part`.
        enabled: bool scalar; False leaves all owners.

    Returns:
        (P * H * W,) float32; what is taken away is nobody's.
    """
    painted = owner < nobody()
    seed = torch.where(painted, owner, torch.zeros_like(owner)).to(torch.int64)
    instance = (root.index_select(0, seed) + 1) * painted.to(torch.int64)
    kept = connected_part(instance.view(planes, height, width), root.shape[0] + 1, min_size).flatten()
    return torch.where(kept | ~enabled, owner, torch.full_like(owner, nobody()))


def connected_cells(nuclei: Tensor, cells: Tensor, count: int, min_size: Tensor, enabled: Tensor) -> Tensor:
    """Take from each cell what is not connected to its nucleus, or to its largest part if it has none.

    Nuclei are written over cells, and so one can cut its neighbour's cell in two.

    Args:
        nuclei: (B, H, W) int64, 0 for background, each connected.
        cells: (B, H, W) int64, likewise; a cell has the number of its nucleus, and holds it.
        count: exceeds the largest number.
        min_size: scalar; see :func:`connected_part`.
        enabled: bool scalar; False leaves all cells.

    Returns:
        (B, H, W) cells, int64.
    """
    kept = connected_part(cells, count, min_size, (nuclei == cells) & (nuclei > 0))
    return cells * (kept | ~enabled).to(torch.int64)


def connected_labels(labels: Tensor, matched: Tensor, enabled: Tensor) -> Tensor:
    """Do the same for all targets of finished label maps, which another pixel size can leave in pieces.

    Args:
        labels: (B, T, H, W) float32, integer-valued, 0 for background; T is 1 or 2, nuclei before cells.
        matched: bool scalar, whether a cell has the number of its nucleus.
        enabled: bool scalar; False leaves the labels alone.

    Returns:
        (B, T, H, W) float32, with gaps where instances were lost.
    """
    batch = labels.shape[0]
    slots = largest_label(labels) + 1
    image = torch.arange(batch, device=labels.device) * slots
    number = (labels.to(torch.int64) + image[:, None, None, None]) * (labels > 0).to(torch.int64)
    any_size = torch.zeros([], dtype=torch.int64, device=labels.device)
    nuclei = number[:, 0] * connected_part(number[:, 0], batch * slots, any_size).to(torch.int64)
    targets = [nuclei]
    if labels.shape[1] == 2:
        # Unmatched, a number says nothing of the other target.
        of_cells = nuclei * matched.to(torch.int64)
        targets.append(connected_cells(of_cells, number[:, 1], batch * slots, any_size, enabled))
    kept = torch.stack(targets, dim=1) > 0
    return labels * (kept | ~enabled).to(torch.float32)
