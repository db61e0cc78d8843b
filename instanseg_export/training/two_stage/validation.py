"""How well cells are judged: by the forward that is exported, on label maps that people made."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...families.registry import build_forward
from ...families.two_stage.forward import ClassifiedForward, PositivityForward
from ...families.two_stage.spec import ClassifiedSpec
from ..data.dataset import AnnotatedImage
from ..loop.validation import Scores, Shown, Validated, as_checkpoint
from ..recipe_file import Plan
from .pixels import seen_pixels

__all__ = ["accuracy_and_f1", "evaluate_cells"]

Numbers = npt.NDArray[np.int64]


def evaluate_cells(plan: Plan, network: nn.Module, images: Sequence[AnnotatedImage]) -> Validated:
    """Judge the cells of images as an exported file would that had found them, and compare with what people say.

    Args:
        plan: of the training.
        network: of both stages; the first is not asked.
        images: with label maps and cells.

    Returns:
        "accuracy" and "F1 macro" by type, over all cells of its images together; of marker positivity over all pairs
        of a cell and a channel. Pictures show classes in place of labels, from 1 on.
    """
    start = time.monotonic()
    device = next(network.parameters()).device
    forward = build_forward(as_checkpoint(plan, network)).to(device)
    shown: list[Shown] = []
    judged: dict[str, list[tuple[Numbers, Numbers]]] = {}
    for image in images:
        pixels = seen_pixels(plan, image)
        labels = torch.from_numpy(image.labels[-1:]).to(torch.float32)
        with torch.inference_mode():
            scores = _scores(forward, pixels.to(device), labels.to(device)).cpu()
        cells = _counting(plan, image.cells)
        label, what, truth = cells.T
        if isinstance(plan.spec, ClassifiedSpec):
            found = scores[label - 1].argmax(dim=1).numpy()
        else:
            found = (scores[label - 1, what] > 0).numpy().astype(np.int64)
        judged.setdefault(image.kind, []).append((truth, found))
        shown.append(_shown(plan, image, cells, found))
    values = {}
    for kind, parts in sorted(judged.items()):
        truth, found = (np.concatenate(column) for column in zip(*parts, strict=True))
        if len(truth):
            accuracy, f1 = accuracy_and_f1(truth, found)
            values[kind] = Scores(len(parts), {"accuracy": accuracy, "F1 macro": f1})
    return Validated(values, shown, time.monotonic() - start)


def accuracy_and_f1(truth: Numbers, found: Numbers) -> tuple[float, float]:
    """Return the part that is right, and the mean over the true classes of F1 = 2 TP / (2 TP + FP + FN).

    Args:
        truth: (K,) classes, K >= 1.
        found: (K,) classes.
    """
    right = truth == found
    f1 = [
        2.0 * (right & (truth == one)).sum() / ((truth == one).sum() + (found == one).sum()) for one in np.unique(truth)
    ]
    return float(right.mean()), float(np.mean(f1))


def _scores(forward: nn.Module, pixels: Tensor, labels: Tensor) -> Tensor:
    """Return the logits of each label, (N, classes or C)."""
    if isinstance(forward, ClassifiedForward):
        # The pixels are divided already: the mode "never" leaves them as they are.
        logits, objects = forward.judge(pixels, labels, torch.full((), 2, device=pixels.device))
        return logits[: len(objects.table)]
    return cast(PositivityForward, forward).judge(pixels, labels)[0]


def _counting(plan: Plan, cells: Numbers) -> Numbers:
    """Return the cells that count: of a classifier those of the set of labels whose logits the forward returns."""
    if not isinstance(plan.spec, ClassifiedSpec):
        return cells
    counted: Numbers = cells[cells[:, 1] == plan.spec.first_logit // len(plan.spec.classes)]
    return counted


def _shown(plan: Plan, image: AnnotatedImage, cells: Numbers, found: Numbers) -> Shown:
    """Return an image with the classes of its cells; of marker positivity, its first channel that was judged."""
    pixels, labels = image.pixels, image.labels[-1]
    if not isinstance(plan.spec, ClassifiedSpec) and len(cells):
        channel = cells[:, 1].min()
        pixels, found, cells = pixels[channel][None], found[cells[:, 1] == channel], cells[cells[:, 1] == channel]
    maps = []
    for classes in (cells[:, 2], found):
        table = np.zeros(int(labels.max()) + 1, dtype=np.int64)
        table[cells[:, 0]] = classes + 1
        maps.append(table[labels][None])
    return Shown(pixels, maps[0], maps[1])
