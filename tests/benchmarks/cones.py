"""Bright cones on black, and a network that reads from them where their centres are: it costs next to nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from instanseg_export.checkpoints import Checkpoint
from support.synthetic import synthetic_checkpoint

__all__ = ["SPACING", "cone_checkpoint", "draw_cones"]

SPACING = 20
"""Pixels from one place to the next; radii are 7 to 9 pixels, as of nuclei of 8 µm at 0.5 µm."""

_UNIT = 4.0
"""Pixels in a unit of the embedding, of the synthetic classifier."""


def draw_cones(rows: int, columns: int, seed: int, share: float = 1.0) -> npt.NDArray[np.uint8]:
    """Draw (1, rows x SPACING, columns x SPACING) pixels: in each place a cone, or in a share of the places."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: rows * SPACING, : columns * SPACING]
    # The cone of a pixel is that of its place: no loop over cones.
    row, column = y // SPACING, x // SPACING
    centre = (np.indices((rows, columns)) + 0.5) * SPACING + rng.uniform(-0.9, 0.9, (2, rows, columns))
    radius = rng.uniform(7.0, 9.0, (rows, columns))[row, column]
    there = (rng.random((rows, columns)) < share)[row, column]
    height = 1.0 - np.hypot(centre[0][row, column] - y, centre[1][row, column] - x) / radius
    return np.asarray((height.clip(0, 1) * 255 * there).round()[None], dtype=np.uint8)


class ConeNetwork(nn.Module):
    """Offsets to the top, sigmas of zero, and a seed map that is highest at the top: five fields of one structure."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.pixel_classifier = classifier
        self.multiple = 16
        slope = torch.tensor([[0.0, 0.0, 0.0], [-0.5, 0.0, 0.5], [0.0, 0.0, 0.0]])
        self.slopes = nn.Conv2d(1, 2, 3, padding=1, bias=False)
        self.slopes.weight.data = torch.stack([slope, slope.T])[:, None]
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        """Return the fields (B, 5, H, W) of images (B, 1, H, W)."""
        slope = self.slopes(image)
        top = F.max_pool2d(image, SPACING - 1, stride=1, padding=SPACING // 2 - 1)
        inside = ((image > 0.05) & (top > 0.3)).to(image.dtype)
        # The slope is the same all over a cone, so that it tells the way to the top from the height that is missing.
        steep = (slope * slope).sum(1, keepdim=True).clamp_min(1e-4)
        offset = (slope * ((top - image) / steep)).clamp(-8.0, 8.0) * inside
        seeds = 7.5 * (2 * (image / top.clamp_min(0.1)) * inside - 1)
        return torch.cat([2 * torch.atanh(offset / _UNIT / 4), torch.zeros_like(offset), seeds], dim=1)


def cone_checkpoint() -> Checkpoint:
    """Two coordinates, two sigmas, one seed channel; the classifier takes pixels near their seed."""
    checkpoint = synthetic_checkpoint(structures=("nuclei",), dim_seeds=1)
    spec = checkpoint.spec.model_copy(update={"channels": 1})
    network = ConeNetwork(checkpoint.network.get_submodule("pixel_classifier"))
    return dataclasses.replace(checkpoint, spec=spec, network=network)
