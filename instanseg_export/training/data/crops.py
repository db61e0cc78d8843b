"""Cut a crop out of an image or a volume and its label maps: where, how large, and which way up."""

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
    """Cut a square, or a box, out at a random place; beyond the border is a mirror, and nothing annotated.

    Crops are turned in the plane alone, since slices lie further apart than pixels; volumes are also mirrored along
    their slices.

    Args:
        pixels: (C, [D,] H, W), of any type of floating-point numbers.
        labels: (T, [D,] H, W) float32, integer-valued.
        crops: of the recipe.
        scale: by which it is enlarged, along all axes alike.
        chance: source of randomness.

    Returns:
        (C, [depth,] size, size) float32, and (T, [depth,] size, size) int32, -1 beyond the border.
    """
    sizes = [*([crops.depth] if crops.depth is not None else []), crops.size, crops.size]
    # Of the crop's first corner, in pixels of the image; smaller images lie anywhere in the crop.
    rooms = [length - size / scale for length, size in zip(pixels.shape[1:], sizes, strict=True)]
    corner = [chance.uniform(min(0.0, room), max(0.0, room)) for room in rooms]
    lines, block = [], [slice(None)]
    for first, size, length in zip(corner, sizes, pixels.shape[1:], strict=True):
        places = first + (torch.arange(size, dtype=torch.float32) + 0.5) / scale
        # Nothing further away counts: a crop reaches beyond the border only where it holds the whole axis.
        start, stop = max(0, int(places[0]) - 1), min(length, int(places[-1]) + 2)
        lines.append((places - start) * (2.0 / (stop - start)) - 1.0)
        block.append(slice(start, stop))
    grid = torch.stack(torch.meshgrid(*lines, indexing="ij")[::-1], dim=-1)
    plane = len(sizes) - 2, len(sizes) - 1
    if crops.rotations:
        grid = torch.rot90(grid, int(chance.integers(4)), dims=plane)
    if crops.flips:
        for axis in (plane[1], *range(plane[0])):
            grid = grid.flip(axis) if chance.integers(2) else grid
    part, marked = pixels[tuple(block)].float()[None], labels[tuple(block)][None]
    image = F.grid_sample(part, grid[None], mode="bilinear", padding_mode="reflection", align_corners=False)[0]
    # One more than each label, so that what is sampled beyond the border comes out as -1.
    found = F.grid_sample(marked + 1.0, grid[None], mode="nearest", padding_mode="zeros", align_corners=False)[0]
    return image.contiguous(), (found.round() - 1.0).to(torch.int32).numpy()
