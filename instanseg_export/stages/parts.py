"""Parts of instances: what hangs together over edges (4-connectivity)."""

from typing import NamedTuple, Optional

import torch
from torch import Tensor

from . import loops
from .graph import connect, lower
from .running import running_maximum
from .sentinels import no_owner

__all__ = ["Parts", "find_parts", "largest_parts"]


class Parts(NamedTuple):
    """The runs of an instance map, and the part of its instance that each is in.

    A run is a row's stretch of pixels of one instance, or of background. It is some ten pixels long, so what is done
    run by run costs little beside a pass over the pixels.

    Attributes:
        run: (P * H * W,) int32, the run of each pixel; runs are counted in raster order.
        first_pixel: (N,) int64, where each run starts in the flattened planes, and where the next one does.
        after: (N,) int64, the same of the next run.
        instance: (N,) int64, 0 for background.
        part: (N,) int64, the part's first run.
    """

    run: Tensor
    first_pixel: Tensor
    after: Tensor
    instance: Tensor
    part: Tensor


def _places(wanted: Tensor) -> Tensor:
    """List the places (N,) int64 of what is wanted in a flat mask."""
    if torch.jit.is_scripting():
        return torch.nonzero(wanted)[:, 0]
    else:
        # ONNX Runtime takes several times as long to list places as to copy what is chosen.
        places = torch.arange(wanted.shape[0], dtype=torch.int32, device=wanted.device)
        return torch.masked_select(places, wanted).to(torch.int64)


def find_parts(instance: Tensor) -> Parts:
    """Find the parts of all instances; what it costs depends little on their shapes.

    Args:
        instance: (P, H, W) int32, 0 for background; a number is found in one plane only.
    """
    if not torch.jit.is_scripting():  # noqa: SIM102 -- TorchScript does not look behind this
        if loops.is_bounded():
            return _parts_of_pixels(instance)
    width = instance.shape[2]
    flat = instance.flatten()
    device = flat.device
    changes = torch.cat([torch.ones_like(flat[:1], dtype=torch.bool), flat[1:] != flat[:-1]])
    starts = changes.view(instance.shape) | (torch.arange(width, device=device) == 0)
    run = starts.flatten().cumsum(0, dtype=torch.int32) - 1

    first_pixel = _places(starts.flatten())
    pixels, runs = flat.shape[0], first_pixel.shape[0]
    order = torch.arange(runs, device=device)
    end = torch.full([1], pixels, dtype=torch.int64, device=device)
    after = torch.cat([first_pixel, end]).index_select(0, order + 1)
    number = flat.index_select(0, first_pixel)

    # Where two runs touch one starts, so it is enough to look at what lies above and below of each run's first pixel.
    above = (first_pixel - width).clamp(min=0)
    hangs = (flat.index_select(0, above) == number) & (first_pixel >= width) & (number > 0)
    parent = torch.where(hangs, run.index_select(0, above).to(torch.int64), order)
    below = torch.minimum(first_pixel + width, end - 1)
    carries = (flat.index_select(0, below) == number) & (first_pixel + width < end) & (number > 0)
    first = _places(carries)
    second = run.index_select(0, below.index_select(0, first)).to(torch.int64)
    return Parts(run, first_pixel, after, number.to(torch.int64), connect(first, second, parent))


def _parts_of_pixels(instance: Tensor) -> Parts:
    """Do the same where nothing may have a size that depends on the data: each pixel is a run."""
    height, width = instance.shape[1], instance.shape[2]
    flat = instance.flatten()
    order = torch.arange(flat.shape[0], device=flat.device)
    none = torch.full_like(instance, -1)
    left = torch.cat([none[:, :, :1], instance[:, :, : width - 1]], dim=2)
    above = torch.cat([none[:, :1], instance[:, : height - 1]], dim=1).flatten()
    # All pixels of a row's stretch under its first: where a node and its parent hang together by nothing else, an edge
    # to a lower node would part them.
    column = torch.arange(width, device=flat.device).to(torch.float32)
    start = running_maximum(torch.where(left == instance, torch.zeros_like(column), column), 2)
    parent = order - (column - start).to(torch.int64).flatten()
    other = torch.where((above == flat) & (flat > 0), order - width, order)
    part = connect(order, other, parent)
    return Parts(order.to(torch.int32), order, order + 1, flat.to(torch.int64), part)


def largest_parts(parts: Parts, count: int, marked: Optional[Tensor] = None) -> Tensor:  # noqa: UP045 -- for TorchScript
    """Choose the largest part of each instance, and among equally large ones the first in raster order.

    Args:
        parts: of all instances.
        count: exceeds the largest instance.
        marked: (P, H, W) bool; a part with such a pixel counts as larger than one without.

    Returns:
        (N,) bool, the runs of the chosen parts; those of background are not among them.
    """
    instance, part = parts.instance, parts.part
    device = part.device
    none = torch.zeros(part.shape, device=device)
    area = none.scatter_add(0, part, (parts.after - parts.first_pixel).to(torch.float32))
    if marked is not None:
        before = torch.cat([torch.zeros_like(parts.run[:1]), marked.flatten().cumsum(0, dtype=torch.int32)])
        marks = before.index_select(0, parts.after) - before.index_select(0, parts.first_pixel)
        most = none.scatter_reduce(0, part, marks.to(torch.float32), "amax", include_self=True)
        area = torch.where(most > 0, torch.full_like(area, no_owner()), area)
    area = area.index_select(0, part)
    largest = torch.zeros([count], device=device).scatter_reduce(0, instance, area, "amax", include_self=True)
    is_largest = area == largest.index_select(0, instance)
    # A part goes by its first run, so the lowest of the largest is the first in raster order.
    nothing = torch.full([count], part.shape[0], dtype=torch.int64, device=device)
    chosen = lower(nothing, instance, torch.where(is_largest, part, nothing[:1]))
    return (part == chosen.index_select(0, instance)) & (instance > 0)
