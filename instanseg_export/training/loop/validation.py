"""How good the averaged weights are: by the forward that is exported, on whole images."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...evaluation.metrics import F1_MU_THRESHOLDS, count_pairs, overlaps
from ...families.checkpoint import Checkpoint
from ...families.registry import build_forward
from ..data.dataset import AnnotatedImage
from ..recipe_file import Plan

__all__ = ["Scores", "Validated", "evaluate"]

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """Of one type of images; means over the images that have an instance in the truth or the prediction.

    Attributes:
        images: how many.
        f1: F1 at an IoU of 0.5.
        f1_mu: F1µ.
    """

    images: int
    f1: float
    f1_mu: float


@dataclass(frozen=True)
class Validated:
    """A validation.

    Attributes:
        scores: by type of images.
        labels: (T, [D,] H, W) int64 of each image, in the order of the images.
        seconds: it took.
    """

    scores: Mapping[str, Scores]
    labels: Sequence[Labels]
    seconds: float

    def rating(self, select: Sequence[str]) -> float:
        """Return the mean of F1 and F1µ over the chosen types, or over all where none is chosen; 0 where all fail."""
        chosen = [score for kind, score in self.scores.items() if not select or kind in select]
        values = [np.nan_to_num(value) for score in chosen for value in (score.f1, score.f1_mu)]
        return float(np.mean(values)) if values else 0.0


def evaluate(plan: Plan, network: nn.Module, images: Sequence[AnnotatedImage]) -> Validated:
    """Segment images with a network as an exported file would, and compare with their label maps.

    Args:
        plan: of the training.
        network: its weights.
        images: with label maps.
    """
    start = time.monotonic()
    device = next(network.parameters()).device
    forward = build_forward(as_checkpoint(plan, network)).to(device)
    found: list[Labels] = []
    rows: dict[str, list[tuple[float, float]]] = {}
    channels = plan.spec.channels
    for image in images:
        pixels = torch.from_numpy(np.ascontiguousarray(image.pixels, dtype=np.float32))[None]
        if channels is not None and pixels.shape[1] == 1:
            pixels = pixels.expand(-1, channels, *pixels.shape[2:])
        with torch.inference_mode():
            labels = forward(pixels.to(device))
        # Some families return more than label maps; these come first.
        labels = labels[0] if isinstance(labels, tuple) else labels
        found.append(labels[0].cpu().numpy().astype(np.int64))
        rows.setdefault(image.kind, []).append(_compare(found[-1], image.labels))
    scores = {
        kind: Scores(len(row), *(float(np.nanmean(part)) for part in zip(*row, strict=True)))
        for kind, row in sorted(rows.items())
    }
    return Validated(scores, found, time.monotonic() - start)


def _compare(found: Labels, truth: npt.NDArray[np.int32]) -> tuple[float, float]:
    """Return F1 at 0.5 and F1µ, averaged over the structures."""
    values = []
    for predicted, true in zip(found, truth, strict=True):
        pairs = overlaps(predicted, true)
        at = [count_pairs(pairs, threshold).f1 for threshold in F1_MU_THRESHOLDS]
        # Nothing to find and nothing found is as good as can be.
        values.append((at[0], float(np.mean(at))) if not np.isnan(at[0]) else (1.0, 1.0))
    f1, f1_mu = np.mean(np.array(values), axis=0)
    return float(f1), float(f1_mu)


def as_checkpoint(plan: Plan, network: nn.Module) -> Checkpoint:
    """Return a network with its description as what readers return."""
    from copy import deepcopy

    plain: Any = deepcopy(network).cpu().float().eval().requires_grad_(False)
    return Checkpoint(plan.spec, plain, Path(plan.path), "0" * 64, "training")
