"""Small IAUNets: with random weights, and trained on drawn discs that overlap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from instanseg_export.checkpoints import Checkpoint
from instanseg_export.families.iaunet.network import IAUNetNetwork
from instanseg_export.families.iaunet.spec import IAUNetSpec, ResNetSpec, SwinSpec

__all__ = ["RESNET", "SWIN", "discs", "random_checkpoint", "train_on_discs"]

SWIN = SwinSpec(dim=8, depths=(1, 2, 1, 1), heads=(1, 2, 2, 2), window=3)
RESNET = ResNetSpec(depths=(1, 1, 1, 1))


def _spec(encoder: Any, **fields: Any) -> IAUNetSpec:
    small = {"queries": 20, "dim": 16, "heads": 2, "hidden": 32, "blocks_per_level": 1, "classes": ("cell", "nucleus")}
    return IAUNetSpec(name="small", encoder=encoder, **{**small, **fields})


def random_checkpoint(encoder: Any = SWIN, **fields: Any) -> Checkpoint:
    """Return an IAUNet with random weights, most of whose queries count as objects."""
    torch.manual_seed(0)
    spec = _spec(encoder, **fields)
    network = IAUNetNetwork(spec).eval().requires_grad_(False)
    network.class_head.bias[:-1] += 3.0
    network.mask_head.weight *= 4.0
    return Checkpoint(spec, network, Path("random"), "0" * 64, "test")


def discs(generator: np.random.Generator, size: int = 64, count: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Draw translucent discs that overlap: image (3, size, size) float32, and whole masks (N, size, size) bool."""
    rows, columns = np.mgrid[:size, :size]
    number = int(generator.integers(1, count + 1))
    centres = generator.uniform(8, size - 8, (number, 2))
    radii = generator.uniform(6, 12, number)
    masks = np.stack([np.hypot(rows - y, columns - x) < r for (y, x), r in zip(centres, radii, strict=True)])
    image = 20 + 60 * masks.sum(axis=0) + generator.normal(0, 3, (size, size))
    return np.repeat(image[None], 3, axis=0).astype(np.float32), masks


def _loss(masks: Tensor, classes: Tensor, truth: list[Tensor]) -> Tensor:
    """Set prediction: the cheapest assignment of queries to objects, then cross entropies and Dice (section 3.6)."""
    total = torch.zeros(())
    for logits, kinds, true in zip(masks, classes, truth, strict=True):
        flat, target = logits.flatten(1), true.flatten(1)
        inside = flat.sigmoid()
        dice = 1 - (2 * inside @ target.T + 1) / (inside.sum(1)[:, None] + target.sum(1)[None] + 1)
        pixels = (F.softplus(-flat) @ target.T + F.softplus(flat) @ (1 - target).T) / flat.shape[1]
        cost = 5 * pixels + 2 * dice - kinds.softmax(-1)[:, :1]
        query, place = linear_sum_assignment(cost.detach().numpy())
        kind = torch.full((len(kinds),), kinds.shape[1] - 1)
        kind[query] = 0
        weight = torch.ones(kinds.shape[1])
        weight[-1] = 0.1
        total = total + F.cross_entropy(kinds, kind, weight) + (5 * pixels + 2 * dice)[query, place].mean()
    return total / len(truth)


def train_on_discs(steps: int) -> Checkpoint:
    """Train a small IAUNet, deep supervision included, on discs drawn on the way."""
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    encoder = SwinSpec(dim=16, depths=(1, 1, 1, 1), heads=(1, 2, 2, 2), window=4)
    spec = _spec(encoder, dim=32, queries=12, heads=4, hidden=64, classes=("cell",))
    network = IAUNetNetwork(spec).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps)
    for _ in range(steps):
        drawn = [discs(generator) for _ in range(8)]
        images = torch.from_numpy(np.stack([image for image, _ in drawn]))
        centred = images - images.mean(dim=(1, 2, 3), keepdim=True)
        normal = centred / centred.pow(2).mean(dim=(1, 2, 3), keepdim=True).sqrt()
        truth = [F.avg_pool2d(torch.from_numpy(masks).float()[None], 4)[0] for _, masks in drawn]
        loss = torch.zeros(())
        for masks, classes in network.predictions(normal):
            loss = loss + _loss(masks, classes, truth)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    network.eval().requires_grad_(False)
    return Checkpoint(spec, network, Path("discs"), "0" * 64, "test")
