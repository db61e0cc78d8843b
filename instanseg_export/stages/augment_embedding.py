"""Test-time augmentation of embeddings: turned and mirrored views, and their outputs brought back (EmbedSeg)."""

import torch
from torch import Tensor

__all__ = ["turn", "turn_back", "views"]


def views(dimensions: int) -> int:
    """Return how many views there are: four quarter turns, mirrored along y, and for volumes also along z.

    Args:
        dimensions: 2 or 3.
    """
    return 8 if dimensions == 2 else 16


def turn(image: Tensor, view: int) -> Tensor:
    """Return a view of an image.

    Args:
        image: (B, C, [D,] H, W).
        view: from 0, which is the image itself: ``view % 4`` quarter turns in the plane of rows and columns, then
            mirrored along y, along z and along both for each four further.

    Returns:
        (B, C, [D,] H, W), or (B, C, [D,] W, H) where the number of quarter turns is odd.
    """
    turned = torch.rot90(image, view % 4, [-2, -1])
    if view // 4 % 2 == 1:
        turned = turned.flip([-2])
    if view // 8 == 1:
        turned = turned.flip([-3])
    return turned


def turn_back(output: Tensor, view: int) -> Tensor:
    """Return what the network's output of a view says of the image itself.

    Offsets are turned with the image. Weights belong to an axis: quarter turns exchange those of x and y.

    Args:
        output: (B, 2A + 1, [D,] H, W), raw: offsets along x, y(, z), weights likewise, and the seed map. The hyperbolic
            tangent that offsets go through later is odd, so that their signs can be changed before.
        view: see :func:`turn`.
    """
    axes = output.dim() - 2
    x, y, others = output[:, 0:1], output[:, 1:2], output[:, 2:axes]
    weight_x, weight_y, rest = output[:, axes : axes + 1], output[:, axes + 1 : axes + 2], output[:, axes + 2 :]
    if view // 4 % 2 == 1:
        y = -y
    if view // 8 == 1:
        others = -others
    if view % 4 == 1:
        x, y = -y, x
    elif view % 4 == 2:
        x, y = -x, -y
    elif view % 4 == 3:
        x, y = y, -x
    if view % 2 == 1:
        weight_x, weight_y = weight_y, weight_x
    back = torch.cat([x, y, others, weight_x, weight_y, rest], dim=1)
    if view // 8 == 1:
        back = back.flip([-3])
    if view // 4 % 2 == 1:
        back = back.flip([-2])
    return torch.rot90(back, -(view % 4), [-2, -1])
