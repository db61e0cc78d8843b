"""The eight views of a square: its rotations by quarter turns, with and without a flip."""

import torch
from torch import Tensor

__all__ = ["eight_views", "mean_of_views"]


def eight_views(crops: Tensor) -> Tensor:
    """Return all views of each crop, one view of all crops after the other.

    Args:
        crops: (n, C, S, S).

    Returns:
        (8 * n, C, S, S), the crops themselves first.
    """
    turned = crops.transpose(2, 3)
    views = []
    for square in (crops, turned):
        views += [square, square.flip([2]), square.flip([3]), square.flip([2, 3])]
    return torch.cat(views)


def mean_of_views(values: Tensor) -> Tensor:
    """Return the mean (n, K) over the views of each crop.

    Args:
        values: (8 * n, K), in the order of :func:`eight_views`.
    """
    return values.view(8, -1, values.shape[1]).mean(dim=0)
