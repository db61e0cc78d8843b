"""EmbedSeg as a family that can be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...families.embedseg.spec import EmbedSegSpec
from ..objective import TrainedFamily
from .medoid import mark_medoids
from .options import EmbedSegOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .objective import EmbedSegObjective

__all__ = ["TRAINED"]


def _network(spec: EmbedSegSpec) -> nn.Module:
    from ...families.embedseg.build import build_network
    from .start import start_round_pixels

    network = build_network(spec)
    start_round_pixels(network, spec)
    return network


def _objective(spec: EmbedSegSpec, options: EmbedSegOptions) -> EmbedSegObjective:
    from .objective import EmbedSegObjective

    return EmbedSegObjective(spec, options)


def _targets(labels: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[Any]]:
    return {"centre": mark_medoids(labels)}


def _normal(spec: EmbedSegSpec, image: Tensor) -> Tensor:
    import torch

    from ...stages.normalize import rescale

    return rescale(image, torch.ones((), dtype=torch.int64), 10, 2)


def _finish(spec: EmbedSegSpec, crop: Tensor) -> Tensor:
    """Leave a crop as it is: EmbedSeg clamps nothing."""
    return crop


TRAINED = TrainedFamily(EmbedSegOptions, _network, _objective, _targets, normal=_normal, finish=_finish, multiple=8)
