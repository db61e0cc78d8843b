"""What a family brings to training: its network without weights, its targets and its objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ..families.spec import ModelSpec, SpecPart
from ..registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["OBJECTIVES", "Objective", "Targets", "TrainedFamily"]

Targets = Callable[[npt.NDArray[np.int32]], dict[str, npt.NDArray[Any]]]
"""Makes of the label maps (T, H, W) of a crop what an objective compares with, by name; it runs with the loading."""


class Objective(Protocol):
    """Says how far the network's output is from the truth."""

    def __call__(
        self, network: nn.Module, output: Tensor, batch: Mapping[str, Tensor], step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the losses by name, scalars; their sum is to be minimised.

        Args:
            network: which gave the output; it may have parts that forwards call, such as a classifier of pixels.
            output: of the network.
            batch: "image" (B, C, H, W); "labels" (B, T, H, W) int32, below 0 where nobody has annotated; and what the
                family's targets made of them.
            step: of the training, from 0.
            generator: on the CPU, seeded by the recipe and the step: all chance comes from it.
        """
        ...


@dataclass(frozen=True)
class TrainedFamily:
    """A family that can be trained.

    Attributes:
        options: what a recipe may set in its objective.
        network: builds the network of a description, with random weights.
        objective: of a description and options.
        targets: see :data:`Targets`.
    """

    options: type[SpecPart]
    network: Callable[[Any], nn.Module]
    objective: Callable[[Any, Any], Objective]
    targets: Targets

    def build(self, spec: ModelSpec) -> nn.Module:
        """Return the network, in training mode, its weights drawn from torch's global generator."""
        return self.network(spec).train().requires_grad_(True)


OBJECTIVES: Registry[TrainedFamily] = Registry(
    "family that can be trained",
    "instanseg_export.training",
    {"instanseg": "instanseg_export.training.instanseg.family:TRAINED"},
)
