"""A step of the training, as Lightning wants it told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from ...errors import TrainingError
from ..data.batches import Batches
from ..recipe import Optimiser
from ..recipe_file import Plan

__all__ = ["TrainingModule", "learning_rate"]


def learning_rate(optimiser: Optimiser, step: int) -> float:
    """Return the learning rate of a step: a linear rise, then half a cosine down to the final rate."""
    if step < optimiser.warm_up:
        return optimiser.learning_rate * (step + 1) / optimiser.warm_up
    passed = (step - optimiser.warm_up) / max(1, optimiser.steps - optimiser.warm_up)
    wave = 0.5 * (1.0 + math.cos(math.pi * min(passed, 1.0)))
    return optimiser.final_rate + (optimiser.learning_rate - optimiser.final_rate) * wave


class TrainingModule(LightningModule):
    """The network, its objective and its optimiser.

    Args:
        plan: of the training.
        network: in training mode.
        batches: told where to go on when a state is loaded.

    Attributes:
        losses: of the latest step, by name.
    """

    def __init__(self, plan: Plan, network: nn.Module, batches: Batches) -> None:
        super().__init__()
        self.plan = plan
        self.network = network
        self.objective = plan.family.objective(plan.spec, plan.options)
        self.losses: dict[str, float] = {}
        self._batches = batches

    def train_dataloader(self) -> Batches:
        return self._batches

    def training_step(self, batch: dict[str, Tensor], place: int) -> Tensor:
        step = self.global_step
        generator = torch.Generator().manual_seed(self.plan.recipe.seed * 2**31 + step)
        # Layers that draw, such as stochastic depth, draw by the step too, wherever the training was taken up.
        torch.manual_seed(generator.initial_seed())
        image = batch["image"]
        if self.device.type == "cpu" and image.ndim == 4:
            batch = {**batch, "image": image.contiguous(memory_format=torch.channels_last)}
        output = self.plan.family.run(self.network, batch)
        with torch.autocast(self.device.type, enabled=False):
            losses = self.objective(self.network, output, batch, step, generator)
            total = torch.stack(list(losses.values())).sum()
        self.losses = {name: float(loss.detach()) for name, loss in losses.items()}
        if not math.isfinite(sum(self.losses.values())):
            raise TrainingError(
                f"The loss at step {step} is not finite: {self.losses}.",
                hint="Lower optimiser.learning_rate or optimiser.clip in the recipe and start anew; the last "
                "checkpoint is kept.",
            )
        return total

    def configure_optimizers(self) -> Any:
        optimiser = self.plan.recipe.optimiser
        weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        groups = [
            {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": optimiser.weight_decay},
            {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
        ]
        adam = torch.optim.AdamW(groups, lr=optimiser.learning_rate)
        highest = optimiser.learning_rate
        schedule = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: learning_rate(optimiser, step) / highest)
        return {"optimizer": adam, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        self._batches.first = int(checkpoint["global_step"])
