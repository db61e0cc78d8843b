"""The finest levels of a network, a strip of rows at a time, so that only one strip's feature maps are there at once.

A block's result in a row depends on the rows nearby, so a strip is computed with some rows of its neighbours around it,
which are then cut off. Not for networks with instance norm, whose every pixel depends on the whole image.
"""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = [
    "Strip",
    "add_rows",
    "cut_strip",
    "export_whole",
    "join_rows",
    "own_rows",
    "strip_count",
    "strips_of_level",
    "take_rows",
]


class Strip(NamedTuple):
    """Rows ``first`` to ``last`` of a block's result, and rows ``start`` to ``end`` that they are computed from."""

    first: int
    last: int
    start: int
    end: int


def strips_of_level(level: int, norm: str) -> int:
    """Return into how many strips an exported graph cuts a level, whatever the image's size; 0 for "never cut".

    Sizes are multiples of 16 at level 0, so that each of four strips has at least as many rows as the halo.
    """
    return 0 if norm == "instance" else max(1, 4 >> level)


def export_whole(network: nn.Module) -> None:
    """Have exported graphs compute all levels whole: for a graph that holds the network several times over.

    Each copy would be cut by itself, which the exporter takes twice as long for.
    """
    for module in network.modules():
        strips = getattr(module, "strips", 0)
        if isinstance(strips, list):
            module.strips = [min(count, 1) for count in strips]  # type: ignore[assignment]
        elif strips:
            module.strips = 1  # type: ignore[assignment]


def strip_count(rows: int, exported: int) -> int:
    """Return into how many strips to cut feature maps; 1 for "do not".

    Where the number may depend on the image, strips have 64 rows or a few more.

    Args:
        rows: of the feature maps.
        exported: of :func:`strips_of_level`.
    """
    if exported == 0:
        return 1
    if torch.jit.is_scripting():
        return rows // 64 if rows >= 512 else 1
    else:
        # Not `elif`: TorchScript leaves only this branch uncompiled. A graph's number of nodes is fixed.
        if torch.compiler.is_exporting():
            return exported
        return rows // 64 if rows >= 512 else 1


def cut_strip(rows: int, count: int, place: int) -> Strip:
    """Return one of ``count`` strips; they start at multiples of the halo, and the last one takes what is left."""
    halo = 4  # a block has four convolutions of 3 x 3
    height = rows // count // halo * halo
    first = place * height
    last = rows if place == count - 1 else first + height
    return Strip(first, last, first if place == 0 else first - halo, last if place == count - 1 else last + halo)


def take_rows(x: Tensor, first: int, last: int) -> Tensor:
    """Return rows ``first`` to ``last`` of (B, C, H, W)."""
    if torch.jit.is_scripting():
        return x[:, :, first:last]
    else:
        if torch.compiler.is_exporting():
            # An exporter concludes from the ends of a slice what sizes an image may have.
            return x.index_select(2, torch.arange(last - first, device=x.device) + first)
        return x[:, :, first:last]


def own_rows(part: Tensor, strip: Strip) -> Tensor:
    """Cut off the rows of the neighbours."""
    return take_rows(part, strip.first - strip.start, strip.last - strip.start)


def add_rows(result: list[Tensor], own: Tensor, first: int, rows: int) -> None:
    """Add a strip to those before it; :func:`join_rows` makes the whole of them.

    Args:
        result: empty before the first strip.
        own: (B, C, height of the strip, W).
        first: its first row in the whole.
        rows: of the whole.
    """
    if torch.jit.is_scripting():
        write_rows(result, own, first, rows)
    else:
        if torch.compiler.is_exporting():
            # An exported graph does not write into tensors.
            result.append(own)
        else:
            write_rows(result, own, first, rows)


def write_rows(result: list[Tensor], own: Tensor, first: int, rows: int) -> None:
    """Write a strip into the whole, so that all strips and the whole are never there together."""
    if len(result) == 0:
        size = [own.shape[0], own.shape[1], rows, own.shape[3]]
        whole = torch.empty(size, dtype=own.dtype, device=own.device, memory_format=torch.channels_last)
        result.append(whole)
    result[0][:, :, first : first + own.shape[2]] = own


def join_rows(result: list[Tensor]) -> Tensor:
    """Return the whole, (B, C, rows, W)."""
    return result[0] if len(result) == 1 else torch.cat(result, dim=2)
