"""Networks that judge cells as families that can be trained: their classes, or whether a marker is in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...families.two_stage.spec import ClassifiedSpec, MarkerPositivitySpec, TwoStageSpec
from ..objective import CellTask, TrainedFamily
from .columns import check, columns_of_classes, columns_of_positivity
from .options import ClassOptions, PositivityOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ...families.checkpoint import Checkpoint
    from .objective import ClassObjective, PositivityObjective

__all__ = ["CLASSIFIED", "POSITIVITY"]


def _network(spec: TwoStageSpec) -> nn.Module:
    from ...families.two_stage.build import build_classifier

    return build_classifier(spec)


def _classes(spec: ClassifiedSpec, options: ClassOptions) -> ClassObjective:
    from .objective import ClassObjective

    return ClassObjective(spec, options)


def _positivity(spec: MarkerPositivitySpec, options: PositivityOptions) -> PositivityObjective:
    from .objective import PositivityObjective

    return PositivityObjective(spec, options)


def _targets(labels: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[Any]]:
    return {}


def _classify(network: Any, batch: Mapping[str, Tensor]) -> Any:
    return network.classifier(batch["image"])


def _judge(network: Any, batch: Mapping[str, Tensor]) -> Any:
    crops, present = batch["image"], batch["present"]
    embeddings = network.classifier.embed(crops[present])
    bags = embeddings.new_zeros(*present.shape, embeddings.shape[1])
    bags[present] = embeddings
    return network.classifier(bags, present)


def _describe(model: Mapping[str, Any], path: Path) -> tuple[dict[str, Any], Checkpoint]:
    from .describe import describe

    return describe(model, path)


def _join(first: nn.Module, second: nn.Module) -> nn.Module:
    from ...families.two_stage.network import TwoStageNetwork

    return TwoStageNetwork(first, second)


def _draws(plan: Any, images: Any) -> Any:
    from .draws import draw_crops

    return draw_crops(plan, images)


def _evaluate(plan: Any, network: Any, images: Any) -> Any:
    from .validation import evaluate_cells

    return evaluate_cells(plan, network, images)


def _task(columns: Any) -> CellTask:
    return CellTask(_describe, _join, columns, check, _draws, _evaluate)


CLASSIFIED = TrainedFamily(ClassOptions, _network, _classes, _targets, run=_classify, cells=_task(columns_of_classes))
POSITIVITY = TrainedFamily(
    PositivityOptions, _network, _positivity, _targets, run=_judge, cells=_task(columns_of_positivity)
)
