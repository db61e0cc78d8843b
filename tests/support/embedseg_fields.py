# Compiled by torch.jit.script: annotations have to be real types here.
"""An EmbedSeg checkpoint whose network hands the image on as its output, and images that such an output can be.

With it, two formats get the same network output to the last bit, so everything behind the network must be equal too.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from instanseg_export.checkpoints import Checkpoint
from instanseg_export.families.embedseg.spec import EmbedSeg3DSpec, EmbedSegSpec
from instanseg_export.stages.embedding import Points, read_points
from support.scripted import agreed

__all__ = ["EXTENT", "GRID", "HALF", "drawn_fields", "fields_checkpoint", "noise_fields", "points_of", "steps"]

GRID = {2: (1024, 1024), 3: (128, 128, 32)}
EXTENT = {2: (1.0, 1.0), 3: (1.0, 1.0, 31 / 127 * 2.5)}


class PassThrough(nn.Module):
    """The network that does nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.multiple = 8

    def forward(self, image: Tensor) -> Tensor:
        return image * 1.0


def fields_checkpoint(axes: int) -> Checkpoint:
    """Return the checkpoint for fields of images (2) or volumes (3); its images have 2 * axes + 1 channels."""
    kind, family = (EmbedSegSpec, "embedseg") if axes == 2 else (EmbedSeg3DSpec, "embedseg_3d")
    fields = {"name": "fields", "family": family, "channels": 2 * axes + 1, "grid": GRID[axes], "extent": EXTENT[axes]}
    spec = kind.model_validate(fields)
    return Checkpoint(spec, PassThrough().eval(), Path("fields"), "0" * 64, "test")


def drawn_fields(size: tuple[int, ...], objects: int, radius: float, seed: int = 0) -> np.ndarray:
    """Draw objects whose pixels point, not quite, to their centres; some overlap, and some pixels stray.

    Args:
        size: ([D,] H, W).
        objects: how many are drawn, at places without order.
        radius: of the largest in pixels along x; the smallest has half of it.
        seed: of the random numbers.

    Returns:
        (1, 2 * axes + 1, [D,] H, W) float32.
    """
    rng = np.random.default_rng(seed)
    axes = len(size)
    step = np.array([extent / (grid - 1) for extent, grid in zip(EXTENT[axes], GRID[axes], strict=True)])
    places = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij")[::-1])
    depth = np.full(size, -np.inf)
    offset = np.zeros((axes, *size))
    sigma = np.zeros((axes, *size))
    for centre in rng.uniform(0, 1, (objects, axes)) * np.array(size[::-1]):
        reach = radius * rng.uniform(0.5, 1)
        # An axis of long steps has fewer pixels.
        away = (centre.reshape(-1, *[1] * axes) - places) * (step / step[0]).reshape(-1, *[1] * axes)
        inner = reach - np.sqrt((away**2).sum(axis=0))
        nearest = inner > depth
        depth = np.where(nearest, inner, depth)
        offset = np.where(nearest, away * 0.7 * step[0], offset)
        sigma = np.where(nearest, np.log(np.log(2) / (0.6 * reach * step[0]) ** 2) / 10, sigma)
    offset += rng.normal(0, 0.6, offset.shape) * step[0] + (rng.random(size) < 0.01) * rng.normal(0, 0.2, offset.shape)
    sigma += rng.normal(0, 0.02, sigma.shape)
    seeds = (depth / radius * 12).clip(-6, 8) + rng.normal(0, 0.3, size)
    return np.concatenate([offset, sigma, seeds[None]])[None].astype(np.float32)


def noise_fields(size: tuple[int, ...], seed: int = 0, batch: int = 1) -> np.ndarray:
    """Return noise of few levels: seeds everywhere, ties, and objects from a pixel to the whole image."""
    rng = np.random.default_rng(seed)
    axes = len(size)
    offset = rng.integers(-16, 17, (batch, axes, *size)) / 64
    sigma = rng.integers(-4, 12, (batch, axes, *size)) / 8
    seeds = rng.integers(-4, 20, (batch, 1, *size)) / 4
    return np.concatenate([offset, sigma, seeds], axis=1).astype(np.float32)


HALF = torch.tensor(0.5)
"""A seed threshold."""


def steps(axes: int) -> Tensor:
    """Return the distance of neighbouring pixels along each axis."""
    return torch.tensor([extent / (grid - 1) for extent, grid in zip(EXTENT[axes], GRID[axes], strict=True)])


def points_of(fields: Tensor, threshold: Tensor = HALF) -> Points:
    """Return the points that the stages read from fields, the same when TorchScript compiles them."""
    axes = (fields.shape[1] - 1) // 2
    spatial = fields[:, :, None] if axes == 2 else fields
    points: Points = agreed(read_points, spatial, steps(axes), threshold)
    return points
