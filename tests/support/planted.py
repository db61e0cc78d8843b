"""A network that costs nothing, and images that are its output: what is left of a run is post-processing.

The network is one 1 x 1 convolution that multiplies each channel by 8. The image's channels are the fields of drawn
nuclei, so that upstream's decoder and ours get the same fields to the last bit, and as many objects as one likes.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor, nn

from instanseg_export.checkpoints import Checkpoint
from support.synthetic import SCALE, synthetic_checkpoint

__all__ = ["GRIDS", "SPACING", "PlantedNetwork", "planted_checkpoint", "planted_image"]

GRIDS = {100: (10, 10), 750: (25, 30), 3300: (55, 60), 10_000: (100, 100)}
"""Rows and columns of nuclei, by their number."""

SPACING = 20
"""Pixels from one nucleus to the next; their radius is 7 to 9 pixels, as of nuclei of 8 µm at 0.5 µm."""


class PlantedNetwork(nn.Module):
    """Hands the image on, times 8: an image lies in [-2, 3] and fields in [-16, 24]."""

    def __init__(self, channels: int, classifier: nn.Module) -> None:
        super().__init__()
        self.pixel_classifier = classifier
        self.multiple = 16
        self.hand_on = nn.Conv2d(channels, channels, 1, bias=False)
        self.hand_on.weight.data = (torch.eye(channels) * SCALE)[:, :, None, None]
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        fields: Tensor = self.hand_on(image)
        return fields


def planted_checkpoint() -> Checkpoint:
    """One structure, two coordinates, two sigmas, one seed channel; the classifier takes pixels near their seed."""
    checkpoint = synthetic_checkpoint(structures=("nuclei",), dim_seeds=1)
    network = PlantedNetwork(checkpoint.spec.channels or 0, checkpoint.network.get_submodule("pixel_classifier"))
    return dataclasses.replace(checkpoint, network=network)


def planted_image(objects: int, seed: int = 0) -> np.ndarray:
    """Return fields of round nuclei, close together, with noise that makes holes and fragments in their masks.

    Args:
        objects: a key of ``GRIDS``; every nucleus has one seed, and none touches another.
        seed: of the random numbers.

    Returns:
        (1, 5, H, W) float32 in [-2, 3], which no forward rescales: H and W are ``SPACING`` times the grid.
    """
    rows, columns = GRIDS[objects]
    rng = np.random.default_rng(seed)
    height, width = rows * SPACING, columns * SPACING
    y, x = np.mgrid[:height, :width]
    # The nucleus of a pixel is that of its cell in the grid: no loop over nuclei.
    row, column = y // SPACING, x // SPACING
    centre = (np.indices((rows, columns)) + 0.5) * SPACING + rng.uniform(-0.9, 0.9, (2, rows, columns))
    radius = rng.uniform(7.0, 9.0, (rows, columns))[row, column]
    down, right = centre[0][row, column] - y, centre[1][row, column] - x
    depth = 1.0 - np.hypot(down, right) / radius
    inside = depth > 0
    # Four pixels are one unit of the embedding; pixels outside stay where they are, far from every seed's point.
    offset = np.where(inside, np.stack([right, down]) * 0.25, 0.0) + rng.normal(0, 0.2, (2, height, width)) * inside
    positional = 2 * np.arctanh((offset / 4).clip(-0.9, 0.9))
    sigma = rng.normal(0, 0.3, (2, height, width))
    seed_map = 7.5 * (2 * depth.clip(0, 1) - 1)
    fields = np.concatenate([positional, sigma, seed_map[None]])[None]
    return (fields / SCALE).clip(-2, 3).astype(np.float32)
