"""The family of IAUNets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..spec_family import DescribedFamily
from .spec import IAUNetSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["FAMILY"]


def _network(spec: IAUNetSpec) -> nn.Module:
    from .network import IAUNetNetwork

    return IAUNetNetwork(spec)


FAMILY = DescribedFamily(
    spec=IAUNetSpec,
    network=_network,
    fields={"classes": lambda text: tuple(part.strip() for part in text.split(",") if part.strip())},
)
