"""Change how strongly a section is stained, by its optical density."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["change_stains"]

_STAINS = ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78))
"""Optical densities in red, green and blue of haematoxylin, eosin and diaminobenzidine (Ruifrok & Johnston 2001)."""

_DARKEST = 0.01
"""Of the light: below it a density would be large, and says little."""


def change_stains(image: Tensor, amounts: Sequence[float]) -> Tensor:
    """Multiply the density of each stain by exp(amount), after unmixing by colour deconvolution (Tellez et al. 2019).

    Args:
        image: (3, H, W) float32, red, green and blue, 1 where light passes unhindered. What is brighter stays.
        amounts: of the three stains: haematoxylin, eosin and the rest.

    Returns:
        (3, H, W) float32.
    """
    mixing = torch.tensor(_STAINS, dtype=torch.float32)
    mixing = mixing / mixing.norm(dim=1, keepdim=True)
    factors = torch.tensor([math.exp(amount) for amount in amounts])
    changed = torch.linalg.inv(mixing) @ torch.diag(factors) @ mixing
    density = -torch.log(image.clamp(_DARKEST, 1.0))
    mixed = torch.exp(-torch.einsum("jhw,ji->ihw", density, changed))
    beyond = image - image.clamp(_DARKEST, 1.0)
    return mixed + beyond
