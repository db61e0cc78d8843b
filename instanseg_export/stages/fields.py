"""Read the network's raw output as positional embedding, conditional embedding and seed map."""

from typing import NamedTuple

import torch
from torch import Tensor

from .exact import logit, tanh

__all__ = ["Fields", "PixelTable", "coordinate_step", "read_fields"]


class Fields(NamedTuple):
    """What the network says of each pixel (InstanSeg paper, section 2.3, figure 1).

    Attributes:
        offset: (P, dim_coords, H, W) in (-4, 4); with the pixel's coordinates it makes the positional embedding.
        sigma: (P, n_sigma, H, W), the conditional embedding.
        seed_map: (P, H, W); high in the middle of objects.
    """

    offset: Tensor
    sigma: Tensor
    seed_map: Tensor


class PixelTable(NamedTuple):
    """What clustering looks up of each pixel, in the order of the flattened planes.

    Attributes:
        values: (P * H * W, columns) float32, what depends on the pixel alone; which columns, the clustering decides.
        offset: (P * H * W, dim_coords) float32, see :class:`Fields`.
        step_x: (1,) or (N, 1, 1) float32, how much the positional embedding grows from one column to the next, for
            all of N windows or for each; see :func:`coordinate_step`.
        step_y: likewise, from one row to the next.
    """

    values: Tensor
    offset: Tensor
    step_x: Tensor
    step_y: Tensor


def coordinate_step(size: int, device: torch.device) -> Tensor:
    """Return how much the positional embedding grows from one pixel to the next, along an axis of ``size`` pixels.

    The coordinates run from 0 to a quarter of the size in ``size`` steps, both ends included.

    Args:
        size: height or width of the image.
        device: of the result.
    """
    length = torch.full([1], size, dtype=torch.float32, device=device)
    return length * 0.25 / (length - 1.0).clamp(min=1.0)


def read_fields(features: Tensor, dim_coords: int, n_sigma: int, dim_seeds: int, fg_threshold: Tensor) -> Fields:
    """Split features of planes (image and structure) into fields.

    Args:
        features: (P, dim_coords + n_sigma + dim_seeds, H, W) float32.
        dim_coords: channels of the positional embedding.
        n_sigma: channels of the conditional embedding.
        dim_seeds: channels of the seed map, 1 or 2.
        fg_threshold: scalar; with two seed channels, the seed map is 0 where the second's sigmoid does not exceed it.
    """
    # (sigmoid(c) - 0.5) * 8 = 4 tanh(c / 2)
    offset = tanh(features[:, :dim_coords] * 0.5) * 4.0
    sigma = features[:, dim_coords : dim_coords + n_sigma]
    # The inverse of how distances were scaled for training.
    seed_map = features[:, dim_coords + n_sigma] / 15.0 + 0.5
    if dim_seeds == 2:
        foreground = features[:, dim_coords + n_sigma + 1] > logit(fg_threshold)
        seed_map = torch.where(foreground, seed_map, torch.zeros_like(seed_map))
    return Fields(offset, sigma, seed_map)
