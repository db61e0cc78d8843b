"""Change the brightness, the contrast, the sharpness and the colours of a crop."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..recipe import Augmentations
from .stains import change_stains

__all__ = ["change_intensities"]


def change_intensities(image: Tensor, amounts: Augmentations, chance: np.random.Generator) -> Tensor:
    """Return a crop as another microscope might have taken it.

    Args:
        image: (C, [D,] H, W) float32, whose 0.1 and 99.9 percentiles are about 0 and 1. Volumes have no colours.
        amounts: of the recipe.
        chance: source of randomness.

    Returns:
        float32 of the same shape.
    """

    def drawn(amount: float) -> float | None:
        """Draw from -amount to amount, or None for "leave it"; always two draws, so that no amount shifts another."""
        value, happens = chance.uniform(-1.0, 1.0) * amount, chance.random() < amounts.share
        return value if happens and amount > 0 else None

    stains = [chance.uniform(-1.0, 1.0) * amounts.stains for _ in range(3)]
    stained = chance.random() < amounts.share and amounts.stains > 0
    grey = image.shape[0] == 3 and bool((image[0] == image[1]).all())
    coloured = image.shape[0] == 3 and image.ndim == 3 and not grey
    if stained and coloured:
        image = change_stains(image, stains)
    turn = drawn(amounts.hue)
    if turn is not None and coloured:
        image = _turn_hue(image, turn)
    exponent = drawn(amounts.gamma)
    if exponent is not None:
        positive = image.clamp(min=0.0)
        image = image.clamp(max=0.0) + positive ** math.exp(exponent)
    factor = drawn(amounts.contrast)
    if factor is not None:
        mean = image.mean(dim=tuple(range(1, image.ndim)), keepdim=True)
        image = (image - mean) * math.exp(factor) + mean
    shift = drawn(amounts.brightness)
    if shift is not None:
        image = image + shift
    low, high = drawn(amounts.ranges), drawn(amounts.ranges)
    if low is not None or high is not None:
        low, high = low or 0.0, 1.0 + (high or 0.0)
        image = (image - low) / max(high - low, 0.1)
    width = drawn(amounts.blur)
    if width is not None:
        image = _blur(image, abs(width))
    noise = drawn(amounts.noise)
    seed = int(chance.integers(2**31))
    if noise is not None:
        generator = torch.Generator().manual_seed(seed)
        # Grey images stay grey.
        shape = image.shape[1:] if grey else image.shape
        image = image + torch.randn(shape, generator=generator) * abs(noise)
    return image


def _turn_hue(image: Tensor, turn: float) -> Tensor:
    """Turn the colours around the grey axis; greys stay, and the mean of the channels, too."""
    angle = 2.0 * math.pi * turn
    cosine, sine = math.cos(angle), math.sin(angle) / math.sqrt(3.0)
    same, next_, last = (1.0 + 2.0 * cosine) / 3.0, (1.0 - cosine) / 3.0 - sine, (1.0 - cosine) / 3.0 + sine
    matrix = torch.tensor([[same, next_, last], [last, same, next_], [next_, last, same]])
    return torch.einsum("ij,jhw->ihw", matrix, image)


def _blur(image: Tensor, sigma: float) -> Tensor:
    """Blur in the plane: slices lie so far apart that a blur of a few pixels reaches none of their neighbours."""
    if sigma < 0.2:
        return image
    planes = image.flatten(0, -3)
    reach = min(max(1, math.ceil(3.0 * sigma)), min(image.shape[-2:]) - 1)
    places = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-(places**2) / (2.0 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = F.pad(planes[:, None], (reach, reach, reach, reach), mode="reflect")
    along_rows = F.conv2d(padded, kernel.view(1, 1, 1, -1))
    return F.conv2d(along_rows, kernel.view(1, 1, -1, 1)).view(image.shape)
