"""The family of IAUNets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..checkpoint import Checkpoint
from ..family import Family
from ..spec_family import restore_by_spec
from .spec import IAUNetSpec

if TYPE_CHECKING:
    from torch import nn

    from ..base import SegmentationForward

__all__ = ["FAMILY"]


def _network(spec: IAUNetSpec) -> nn.Module:
    from .network import IAUNetNetwork

    return IAUNetNetwork(spec)


def _build_forward(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> SegmentationForward:
    from .forward import build

    return build(checkpoint, settings)


FAMILY = Family(
    spec=IAUNetSpec,
    restore=restore_by_spec(
        _network, {"classes": lambda text: tuple(part.strip() for part in text.split(",") if part.strip())}
    ),
    build_forward=_build_forward,
)
