"""What a family brings to training: its network without weights, its targets and its objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ..families.spec import ModelSpec, SpecPart

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from ..families.checkpoint import Checkpoint

__all__ = ["CellColumns", "CellTask", "Objective", "Targets", "TrainedFamily"]

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
                family's targets made of them. Of a task on cells, what its ``draws`` give.
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


def _call(network: nn.Module, batch: Mapping[str, Tensor]) -> Any:
    return network(batch["image"])


@dataclass(frozen=True)
class CellColumns:
    """What a line of ``cells.csv`` says of a cell, beside its image and its label.

    Attributes:
        needed: columns that must be there.
        read: of a line, by column: what is judged (a set of labels, a channel) and how (a class, 0 or 1), two numbers
            from 0 on. It raises ValueError with what is wrong.
        of_channels: whether what is judged is a channel of the image.
    """

    needed: tuple[str, ...]
    read: Callable[[Mapping[str, str]], tuple[int, int]]
    of_channels: bool = False


@dataclass(frozen=True)
class CellTask:
    """What a family brings besides whose network judges cells that another one has found.

    Attributes:
        describe: fills in a recipe's description, given the recipe's path, and reads the network that finds the cells.
        join: makes one network of that and the one that is trained.
        columns: of ``cells.csv``, for a description and options.
        check: refuses what in a plan contradicts itself.
        draws: the batches of all steps, a data set with one per step, for a plan and its images.
        evaluate: judges a plan's network on images; see :func:`.loop.validation.evaluate`.
    """

    describe: Callable[[Mapping[str, Any], Path], tuple[dict[str, Any], Checkpoint]]
    join: Callable[[nn.Module, nn.Module], nn.Module]
    columns: Callable[[Any, Any], CellColumns]
    check: Callable[[Any], None]
    draws: Callable[[Any, Any], Any]
    evaluate: Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class TrainedFamily:
    """A family that can be trained.

    Attributes:
        options: what a recipe may set in its objective.
        network: builds the network of a description, with random weights.
        objective: of a description and options.
        targets: see :data:`Targets`.
        run: gives the objective its output, from the network and a batch.
        normal: scales an image (1, C, H, W) of finite numbers to about 0 to 1, as the family's forward does.
        finish: does the rest of that to a crop (C, H, W), after all augmentations.
        multiple: sizes of crops have to be multiples of this.
        cells: where it judges cells; None where it segments.
    """

    options: type[SpecPart]
    network: Callable[[Any], nn.Module]
    objective: Callable[[Any, Any], Objective]
    targets: Targets
    run: Callable[[nn.Module, Mapping[str, Tensor]], Any] = _call
    normal: Callable[[Any, Tensor], Tensor] = _by_percentiles
    finish: Callable[[Any, Tensor], Tensor] = _clamped
    multiple: int = 16
    cells: CellTask | None = None

    def annotated(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the structures whose label maps a training needs: cells that are judged are of the last one."""
        return spec.structures if self.cells is None else spec.structures[-1:]

    def build(self, spec: ModelSpec, first: Checkpoint | None = None) -> nn.Module:
        """Return the network, in training mode, its weights drawn from torch's global generator.

        Args:
            spec: of the network.
            first: what finds the cells that the network judges, which is not trained.
        """
        network = self.network(spec).train().requires_grad_(True)
        if self.cells is None or first is None:
            return network
        return self.cells.join(first.network.eval().requires_grad_(False), network)
