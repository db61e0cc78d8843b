"""Cut a crop out of an image and its label maps: where, how large, and which way up."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ..recipe import Crops

__all__ = ["cut_crop", "draw_scale"]


def draw_scale(crops: Crops, diameter: float, chance: np.random.Generator) -> float:
    """Draw by which factor a crop is enlarged.

    Args:
        crops: of the recipe.
        diameter: of the image's median instance, in pixels; 0 if unknown.
        chance: source of randomness.
    """
    low, high = crops.scale
    if crops.diameters is not None and diameter > 0:
        smallest, largest = (wanted / diameter for wanted in crops.diameters)
        low, high = min(max(low, smallest), high), max(min(high, largest), low)
        low = min(low, high)
    return math.exp(chance.uniform(math.log(low), math.log(high)))


def cut_crop(
    pixels: Tensor, labels: Tensor, crops: Crops, scale: float, chance: np.random.Generator
) -> tuple[Tensor, npt.NDArray[np.int32]]:
    """Cut a square out of an image at a random place; beyond the image's border is a mirror, and nothing annotated.

    Args:
        pixels: (C, H, W) float32.
        labels: (T, H, W) float32, integer-valued.
        crops: of the recipe.
        scale: by which it is enlarged.
        chance: source of randomness.

    Returns:
        (C, size, size) float32, and (T, size, size) int32, -1 beyond the border.
    """
    height, width = pixels.shape[1:]
    side = crops.size / scale
    # Of the crop's first corner, in pixels of the image; smaller images lie anywhere in the crop.
    top, left = (chance.uniform(min(0.0, room), max(0.0, room)) for room in (height - side, width - side))
    steps = (torch.arange(crops.size, dtype=torch.float32) + 0.5) / scale
    y = (top + steps) * (2.0 / height) - 1.0
    x = (left + steps) * (2.0 / width) - 1.0
    grid = torch.stack(torch.broadcast_tensors(x[None, :], y[:, None]), dim=2)
    if crops.rotations:
        grid = torch.rot90(grid, int(chance.integers(4)), dims=(0, 1))
    if crops.flips and chance.integers(2):
        grid = grid.flip(1)
    image = F.grid_sample(pixels[None], grid[None], mode="bilinear", padding_mode="reflection", align_corners=False)[0]
    # One more than each label, so that what is sampled beyond the border comes out as -1.
    found = F.grid_sample(labels[None] + 1.0, grid[None], mode="nearest", padding_mode="zeros", align_corners=False)[0]
    return image.contiguous(), (found.round() - 1.0).to(torch.int32).numpy()
