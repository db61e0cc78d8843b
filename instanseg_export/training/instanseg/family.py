"""InstanSeg as a family that can be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...families.instanseg.spec import InstanSegSpec
from ..objective import TrainedFamily
from .distance import relative_distance
from .options import InstanSegOptions

if TYPE_CHECKING:
    from torch import nn

    from .objective import InstanSegObjective

__all__ = ["TRAINED"]


def _network(spec: InstanSegSpec) -> nn.Module:
    from ...families.instanseg.network import InstanSegNetwork

    return InstanSegNetwork(spec)


def _objective(spec: InstanSegSpec, options: InstanSegOptions) -> InstanSegObjective:
    from .objective import InstanSegObjective

    return InstanSegObjective(spec, options)


def _targets(labels: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[Any]]:
    return {"distance": relative_distance(labels)}


TRAINED = TrainedFamily(InstanSegOptions, _network, _objective, _targets)
