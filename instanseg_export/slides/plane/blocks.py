"""Blocks in which a level is read from end to end."""

from __future__ import annotations

from itertools import product

from ..box import Box

__all__ = ["blocks_of"]

_SIDE = {2: 2048, 3: 256}
"""Pixels: a multiple of the tiles in which slides are stored, and a few megabytes in each channel."""


def blocks_of(domain: Box, multiple: int = 1) -> list[Box]:
    """Cut a part of a level into blocks, in raster order.

    Args:
        domain: the part.
        multiple: of which the blocks' sides are, except at the end.
    """
    side = max(1, _SIDE[len(domain.low)] // multiple) * multiple
    starts = [range(low, high, side) for low, high in zip(domain.low, domain.high, strict=True)]
    return [
        Box(low, tuple(min(start + side, high) for start, high in zip(low, domain.high, strict=True)))
        for low in product(*starts)
    ]
