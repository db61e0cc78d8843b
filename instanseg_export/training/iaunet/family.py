"""IAUNet as a family that can be trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...families.iaunet.spec import IAUNetSpec
from ..objective import TrainedFamily
from .options import IAUNetOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .objective import IAUNetObjective

__all__ = ["TRAINED"]


def _network(spec: IAUNetSpec) -> nn.Module:
    from ...families.iaunet.network import IAUNetNetwork

    return IAUNetNetwork(spec)


def _objective(spec: IAUNetSpec, options: IAUNetOptions) -> IAUNetObjective:
    from .objective import IAUNetObjective

    return IAUNetObjective(spec, options)


def _targets(labels: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[Any]]:
    return {}


def _predictions(network: Any, batch: Mapping[str, Tensor]) -> Any:
    return network.predictions(batch["image"])


def _finish(spec: IAUNetSpec, crop: Tensor) -> Tensor:
    """Bring a crop to mean 0 and standard deviation 1, where the network sees images so."""
    if spec.normalization == "percentile":
        return crop.clamp(-2.0, 3.0)
    import torch

    from ...stages.normalize import standardize

    return standardize(crop[None], torch.ones((), dtype=torch.int64))[0]


TRAINED = TrainedFamily(IAUNetOptions, _network, _objective, _targets, run=_predictions, finish=_finish, multiple=32)
