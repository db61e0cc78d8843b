"""The objectives of the networks that look at each cell."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...families.two_stage.spec import ClassifiedSpec, MarkerPositivitySpec
from .losses import class_loss, positivity_loss
from .options import ClassOptions, PositivityOptions

__all__ = ["ClassObjective", "PositivityObjective"]


class ClassObjective:
    """Computes the loss of a batch of crops.

    Args:
        spec: of the network.
        options: of the recipe.
    """

    def __init__(self, spec: ClassifiedSpec, options: ClassOptions) -> None:
        self.classes = len(spec.classes)

    def __call__(
        self, network: nn.Module, output: Tensor, batch: Mapping[str, Tensor], step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the mean cross-entropy; see :class:`..objective.Objective`.

        Args:
            network: is not asked.
            output: (N, sets x classes) logits.
            batch: "set" and "class", both (N,) int64.
            step: does not matter.
            generator: is not asked: nothing is drawn.
        """
        return {"classes": class_loss(output.to(torch.float32), batch["class"], batch["set"], self.classes)}


class PositivityObjective:
    """Computes the loss of a batch of bags.

    Args:
        spec: of the network.
        options: of the recipe.
    """

    def __init__(self, spec: MarkerPositivitySpec, options: PositivityOptions) -> None:
        self.gamma = options.gamma

    def __call__(
        self, network: nn.Module, output: Tensor, batch: Mapping[str, Tensor], step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the mean focal loss of the cells of which people said something; see :class:`..objective.Objective`.

        Args:
            network: is not asked.
            output: (bags, n) logits.
            batch: "positive", (bags, n) int64, below 0 where nobody knows and where only a bag is filled.
            step: does not matter.
            generator: is not asked: nothing is drawn.
        """
        known = batch["positive"] >= 0
        truth = batch["positive"].clamp(min=0)
        return {"positivity": positivity_loss(output.to(torch.float32), truth, known, self.gamma)}
