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

__all__ = ["Scores", "Shown", "Validated", "as_checkpoint", "evaluate"]

_NAMES = ("F1", "F1µ")

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """Of one type of images.

    Attributes:
        images: how many.
        values: each from 0 to 1, by name. Of segmentations, "F1" at an IoU of 0.5 and "F1µ", means over the images.
    """

    images: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Shown:
    """What can be drawn of an image.

    Attributes:
        pixels: (C, [D,] H, W).
        truth, found: (T, [D,] H, W), integer-valued; 0 where there is nothing.
    """

    pixels: npt.NDArray[np.generic]
    truth: npt.NDArray[np.generic]
    found: npt.NDArray[np.generic]


@dataclass(frozen=True)
class Validated:
    """A validation.

    Attributes:
        scores: by type of images.
        shown: what each image looks like, in their order.
        seconds: it took.
    """

    scores: Mapping[str, Scores]
    shown: Sequence[Shown]
    seconds: float

    def rating(self, select: Sequence[str]) -> float:
        """Return the mean of all values of the chosen types, or of all where none is chosen; 0 where all fail."""
        chosen = [score for kind, score in self.scores.items() if not select or kind in select]
        values = [np.nan_to_num(value) for score in chosen for value in score.values.values()]
        return float(np.mean(values)) if values else 0.0


def evaluate(plan: Plan, network: nn.Module, images: Sequence[AnnotatedImage]) -> Validated:
    """Judge a network on images: segment them as an exported file would, and compare with their label maps.

    A family with a task of its own on cells says itself how its network is judged.

    Args:
        plan: of the training.
        network: its weights.
        images: with label maps.
    """
    if plan.family.cells is not None:
        judged: Validated = plan.family.cells.evaluate(plan, network, images)
        return judged
    start = time.monotonic()
    device = next(network.parameters()).device
    forward = build_forward(as_checkpoint(plan, network)).to(device)
    shown: list[Shown] = []
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
        found = labels[0].cpu().numpy().astype(np.int64)
        shown.append(Shown(image.pixels, image.labels, found))
        rows.setdefault(image.kind, []).append(_compare(found, image.labels))
    scores = {
        kind: Scores(
            len(row), {name: float(np.mean(part)) for name, part in zip(_NAMES, zip(*row, strict=True), strict=True)}
        )
        for kind, row in sorted(rows.items())
    }
    return Validated(scores, shown, time.monotonic() - start)


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
