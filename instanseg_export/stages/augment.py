"""The eight views of an image: its flips and quarter turns, and the way back from each.

The 16 "combinations of axis aligned rotations and flips" of the InstanSeg paper (section 2.8: a horizontal flip or
none, a vertical flip or none, four quarter turns) show the image in eight ways, each of them twice, since a flip of
both is half a turn. These are the eight.
"""

import torch
from torch import Tensor

from .windows import Windows

__all__ = ["undo_view", "view", "view_count", "view_windows"]


def view_count() -> int:
    """How many views there are; view 0 is the image as it is."""
    return 8


def _exchanges_axes(index: int) -> bool:
    return index // 4 == 1


def _flips_rows(index: int) -> bool:
    return index // 2 % 2 == 1


def _flips_columns(index: int) -> bool:
    return index % 2 == 1


def view(image: Tensor, index: int) -> Tensor:
    """Show an image from one of its eight sides.

    Args:
        image: (..., H, W) of any type.
        index: from 0 to 7. From 4 on rows and columns are exchanged; then 2 and 3 of each four reverse the order of the
            rows, and odd ones that of the columns.

    Returns:
        (..., H, W), or (..., W, H) where rows and columns are exchanged.
    """
    if _exchanges_axes(index):
        image = image.transpose(-2, -1)
    if _flips_rows(index):
        image = torch.flip(image, [-2])
    if _flips_columns(index):
        image = torch.flip(image, [-1])
    return image


def undo_view(image: Tensor, index: int) -> Tensor:
    """Undo :func:`view`. Numbers that point along an axis keep pointing where they did in the view."""
    if _flips_columns(index):
        image = torch.flip(image, [-1])
    if _flips_rows(index):
        image = torch.flip(image, [-2])
    if _exchanges_axes(index):
        image = image.transpose(-2, -1)
    return image


def view_windows(windows: Windows, index: int) -> Windows:
    """Show windows as they lie in a view of their image: the same pixels, in the view's order and directions.

    Args:
        windows: on the image.
        index: of the view.

    Returns:
        Windows whose ``pixel`` and ``seed_pixel`` are still places in the image.
    """
    size = windows.inside.shape[2]
    pixel = view(windows.pixel.view(-1, size, size), index).flatten(1)
    x, y = windows.from_seed_x, windows.from_seed_y
    if _exchanges_axes(index):
        x, y = y.transpose(1, 2), x.transpose(1, 2)
    if _flips_columns(index):
        x = -torch.flip(x, [2])
    if _flips_rows(index):
        y = -torch.flip(y, [1])
    return Windows(
        pixel=pixel,
        inside=view(windows.inside, index),
        seed_pixel=windows.seed_pixel,
        from_seed_x=x,
        from_seed_y=y,
    )
