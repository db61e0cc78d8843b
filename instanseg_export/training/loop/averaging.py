"""The moving average of the weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn

__all__ = ["Average"]


class Average(Callback):
    """Keeps an exponential moving average of the network's weights and statistics.

    Args:
        decay: how much of the average stays at each step, once enough steps have passed; 0 for no average.

    Attributes:
        network: the averaged one, in eval mode; None before the training begins.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.network: nn.Module | None = None
        self._loaded: dict[str, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        network: Any = pl_module.network
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self.network is not None
        if self._loaded:
            self.network.load_state_dict(self._loaded)
            self._loaded = {}
        self.network.to(pl_module.device)

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert self.network is not None
        step = trainer.global_step
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        network: Any = pl_module.network
        for average, current in zip(_values(self.network), _values(network), strict=True):
            if average.is_floating_point():
                average.lerp_(current.to(average.dtype), 1.0 - decay)
            else:
                average.copy_(current)

    def state_dict(self) -> dict[str, Any]:
        return {} if self.network is None else dict(self.network.state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._loaded = state_dict


def _values(network: nn.Module) -> list[torch.Tensor]:
    return [*network.parameters(), *network.buffers()]
