"""Semantic masks in place of instance labels: one number for all instances, which lie apart in the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import ImageError
from ..untrusted.boundary import plain

__all__ = ["Pieces", "check_instances", "count_pieces"]

_MOST_PIECES = 3
"""Instances lie in one piece, but for a few that something else covers in part."""

_FEW_NUMBERS = 3
"""Of classes, in all label maps together: nucleus, border and such."""


@dataclass(frozen=True)
class Pieces:
    """Of a label map of one structure.

    Attributes:
        ids: numbers that occur, without 0.
        pieces: connected regions of one number, of more than a pixel where any is.
    """

    ids: frozenset[int]
    pieces: int


def count_pieces(labels: npt.NDArray[np.int64]) -> list[Pieces]:
    """Count numbers and connected regions of each structure.

    Args:
        labels: (T, [D,] H, W).
    """
    from skimage.measure import label

    found = []
    for plane in labels:
        regions = label(plane, connectivity=plane.ndim)
        sizes = np.bincount(regions.reshape(-1))[1:]
        pieces = int((sizes > 1).sum()) or int(sizes.size)
        found.append(Pieces(frozenset(map(int, np.unique(plane[plane > 0]))), pieces))
    return found


def check_instances(images: Sequence[tuple[str, Sequence[Pieces]]]) -> list[str]:
    """Refuse semantic masks, and return a warning for single label maps that look like one.

    Args:
        images: name and pieces of each.

    Raises:
        ImageError: the label maps together have far more pieces than numbers.
    """
    everything = [pieces for _, of_image in images for pieces in of_image]
    ids = sum(len(one.ids) for one in everything)
    pieces = sum(one.pieces for one in everything)
    values = frozenset[int]().union(*(one.ids for one in everything))
    # Masks of a few objects each show by their numbers, which are the same in all.
    few = len(values) <= _FEW_NUMBERS and len(everything) > 1 and 2 * pieces >= 3 * ids
    if pieces >= _MOST_PIECES * ids or few:
        listed = ", ".join(str(value) for value in sorted(values)[:4])
        raise ImageError(
            f"The label maps look like semantic masks: {ids} number{'s' * (ids != 1)} (such as {listed}) for {pieces} "
            "regions that lie apart.",
            hint="Evaluation counts instances: each needs a number of its own. If no two objects touch, "
            "skimage.measure.label(mask > 0) numbers them.",
        )
    odd = [plain(name, 80) for name, of_image in images if any(map(_shares_numbers, of_image))]
    if not odd:
        return []
    named = ", ".join(odd[:3]) + (f" and {len(odd) - 3} more" if len(odd) > 3 else "")
    return [
        f"In the label map{'s' * (len(odd) != 1)} of {named}, objects that lie apart share a number, and count as one. "
        "Is it a semantic mask, or were more than 255 objects saved in 8 bits?"
    ]


def _shares_numbers(one: Pieces) -> bool:
    count = len(one.ids)
    return one.pieces >= _MOST_PIECES * max(1, count) or (2 * one.pieces >= 3 * count and one.pieces - count >= 5)
