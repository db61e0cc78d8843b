"""What a family brings to training: its network without weights, its targets and its objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ..families.spec import ModelSpec, SpecPart

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["Objective", "Targets", "TrainedFamily"]

Targets = Callable[[npt.NDArray[np.int32]], dict[str, npt.NDArray[Any]]]
"""Makes of the label maps (T, H, W) of a crop what an objective compares with, by name; it runs with the loading."""


class Objective(Protocol):
    """Says how far the network's output is from the truth."""

    def __call__(
        self, network: nn.Module, output: Any, batch: Mapping[str, Tensor], step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the losses by name, scalars; their sum is to be minimised.

        Args:
            network: which gave the output; it may have parts that forwards call, such as a classifier of pixels.
            output: of the family's ``run``.
            batch: "image" (B, C, H, W); "labels" (B, T, H, W) int32, below 0 where nobody has annotated; and what the
                family's targets made of them.
            step: of the training, from 0.
            generator: on the CPU, seeded by the recipe and the step: all chance comes from it.
        """
        ...


def _by_percentiles(spec: ModelSpec, image: Tensor) -> Tensor:
    """Bring the 0.1 and 99.9 percentiles of each channel to 0 and 1, and clamp, as most forwards do."""
    import torch

    from ..stages.normalize import normalize

    return normalize(image, torch.ones((), dtype=torch.int64))


def _clamped(spec: ModelSpec, crop: Tensor) -> Tensor:
    return crop.clamp(-2.0, 3.0)


def _call(network: nn.Module, image: Tensor) -> Any:
    return network(image)


@dataclass(frozen=True)
class TrainedFamily:
    """A family that can be trained.

    Attributes:
        options: what a recipe may set in its objective.
        network: builds the network of a description, with random weights.
        objective: of a description and options.
        targets: see :data:`Targets`.
        run: gives the objective its output, from the network and a batch of images.
        normal: scales an image (1, C, H, W) of finite numbers to about 0 to 1, as the family's forward does.
        finish: does the rest of that to a crop (C, H, W), after all augmentations.
        multiple: sizes of crops have to be multiples of this.
    """

    options: type[SpecPart]
    network: Callable[[Any], nn.Module]
    objective: Callable[[Any, Any], Objective]
    targets: Targets
    run: Callable[[nn.Module, Tensor], Any] = _call
    normal: Callable[[Any, Tensor], Tensor] = _by_percentiles
    finish: Callable[[Any, Tensor], Tensor] = _clamped
    multiple: int = 16

    def build(self, spec: ModelSpec) -> nn.Module:
        """Return the network, in training mode, its weights drawn from torch's global generator."""
        return self.network(spec).train().requires_grad_(True)
