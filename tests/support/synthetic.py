# Compiled by torch.jit.script: annotations have to be real types here.
"""A checkpoint whose network hands the image on as its output, and images that make such an output look like cells.

With it, two formats get the same network output to the last bit, so everything behind the network must be equal too.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn

from instanseg_export.checkpoints import Checkpoint
from instanseg_export.families.instanseg.pixel_classifier import ProbabilityNet
from instanseg_export.families.instanseg.spec import InstanSegSpec, UNetSpec

__all__ = ["SCALE", "cells_image", "noise_image", "synthetic_checkpoint"]

SCALE = 8.0
"""The image lies in [-2, 3], the network's output in [-16, 24]; a power of two loses no bit."""


class PassThrough(nn.Module):
    """The network that does nothing."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.pixel_classifier = classifier
        self.multiple = 16
        self.scale = SCALE

    def forward(self, image: Tensor) -> Tensor:
        return image * self.scale


def _distance_classifier(inputs: int, width: int) -> ProbabilityNet:
    """About 0.9 - |dx| - |dy|, disturbed so that every weight counts."""
    classifier = ProbabilityNet(inputs, width)
    generator = torch.Generator().manual_seed(5)
    for parameter in classifier.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.03
    for unit, (channel, sign) in enumerate([(0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)]):
        classifier.fc1.weight.data[unit, channel] += sign
        classifier.fc2.weight.data[unit, unit] += 1.0
        classifier.fc3.weight.data[0, unit] -= 1.0
    classifier.fc3.bias.data += 0.9
    return classifier


def synthetic_checkpoint(structures: tuple[str, ...] = ("nuclei", "cells"), **changes: Any) -> Checkpoint:
    """Two coordinates, two sigmas and two seed channels for each structure, unless ``changes`` say otherwise."""
    fields = {"dim_coords": 2, "n_sigma": 2, "dim_seeds": 2, "mlp_width": 5, "feature_engineering": "0", **changes}
    head = (fields["dim_coords"], fields["n_sigma"], fields["dim_seeds"])
    channels = sum(head) * len(structures)
    spec = InstanSegSpec(
        name="synthetic",
        structures=structures,  # type: ignore[arg-type]
        channels=channels,
        backbone=UNetSpec(in_channels=channels, layers=(4,), norm="none", heads=(head * len(structures),)),
        **fields,
    )
    classifier = _distance_classifier(head[0] + head[1] + (spec.feature_engineering == "2"), spec.mlp_width)
    network = PassThrough(classifier).eval().requires_grad_(False)
    return Checkpoint(spec, network, Path("synthetic"), "0" * 64, "test")


def cells_image(spec: InstanSegSpec, height: int, width: int, seed: int, batch: int = 1) -> np.ndarray:
    """Round cells with nuclei, in clumps, some with two seeds; (batch, channels, height, width) float32 in [-2, 3]."""
    rng = np.random.default_rng(seed)
    planes = []
    for _ in range(batch):
        count = max(height * width // 350, 1)
        centres = rng.uniform(0, 1, (count, 2)) * (height, width)
        radii = rng.uniform(2, 9, count)
        for structure in range(len(spec.structures)):
            grown = radii + 4.0 * structure
            # The last tenth of the nuclei has no cell.
            chosen = slice(None) if structure == 0 else slice(max(count * 9 // 10, 1))
            planes.append(_plane(spec, rng, height, width, centres[chosen], grown[chosen]))
    image = np.concatenate(planes).reshape(batch, -1, height, width)
    # Coarse steps make ties.
    return (np.round(image * 32) / 32 / SCALE).clip(-2, 3).astype(np.float32)


def _plane(
    spec: InstanSegSpec, rng: np.random.Generator, height: int, width: int, centres: np.ndarray, radii: np.ndarray
) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    depth = np.full((height, width), -np.inf)
    offset = np.zeros((spec.dim_coords, height, width))
    for (y, x), radius in zip(centres, radii, strict=True):
        inner = radius - np.hypot(rows - y, columns - x)
        nearest = inner > depth
        depth = np.where(nearest, inner, depth)
        # Pixels point to their centre, half as strongly in every other cell, which then falls into several.
        strength = 0.25 if rng.random() < 0.6 else 0.1
        offset[0] = np.where(nearest, (x - columns) * strength, offset[0])
        offset[1] = np.where(nearest, (y - rows) * strength, offset[1])
    offset += ndimage.gaussian_filter(rng.normal(0, 1, offset.shape), (0, 2, 2))
    positional = 2 * np.arctanh((offset / 4).clip(-0.95, 0.95))
    sigma = rng.normal(0, 1, (spec.n_sigma, height, width))
    bumps = ndimage.gaussian_filter(rng.normal(0, 1, (height, width)), 2) * 2
    seed_map = 15 * ((depth / 6).clip(-1, 1) * 0.5 + bumps * (depth > 0) * 0.3)
    seeds = [seed_map] if spec.dim_seeds == 1 else [seed_map, depth.clip(-2, 2) + rng.normal(0, 0.5, depth.shape)]
    return np.concatenate([positional, sigma, np.stack(seeds)])


def noise_image(spec: InstanSegSpec, height: int, width: int, seed: int) -> np.ndarray:
    """Noise of a few levels: thousands of seeds, and ties everywhere."""
    rng = np.random.default_rng(seed)
    return (rng.integers(-16, 25, (1, spec.channels or 0, height, width)) / SCALE).astype(np.float32)
