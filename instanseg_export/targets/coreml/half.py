"""The network in float16, as the Neural Engine computes it; all around it stays in float32."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from ...families.base import SegmentationForward

__all__ = ["with_half_network"]


class _Half(nn.Module):
    """A network with 16-bit weights and activations, between casts.

    Args:
        network: in float32; it is not changed.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.inner = copy.deepcopy(network).half()

    def forward(self, image: Tensor) -> Tensor:
        """Map an image in float32 to features in float32."""
        features: Tensor = self.inner(image.to(torch.float16))
        return features.to(torch.float32)


def with_half_network(forward: SegmentationForward) -> SegmentationForward:
    """Return a copy of a forward whose network computes in float16.

    Normalisation, fields, seeds, clustering, merging and numbers are those of the forward: whole numbers beyond 2,048
    have no place in float16.
    """
    halved = copy.deepcopy(forward)
    halved.network = _Half(halved.network)
    return halved
