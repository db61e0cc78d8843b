"""The weights with which EmbedSeg's training starts."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from ...families.embedseg.spec import EmbedSegSpec

__all__ = ["start_round_pixels"]

_STEP = 1.0 / 1023.0
"""Of the grid for which the authors chose where to start."""


@torch.no_grad()
def start_round_pixels(network: nn.Module, spec: EmbedSegSpec) -> None:
    """Let each pixel point at itself, with a bandwidth that reaches about six pixels far along all axes.

    So starts the published code: offsets 0, bandwidths 1 on a grid of 1,024 pixels. From random bandwidths near 0,
    which reach over a whole image, the instance loss falls no further. On other grids the start is as many pixels wide.

    Args:
        network: of the spec; its last layer of the first decoder is written to.
        spec: of the network.
    """
    last: Any = network.get_submodule("decoders.0")[-1]  # type: ignore[index]
    step = spec.extent[0] / (spec.grid[0] - 1)
    last.weight.zero_()
    last.bias[: spec.dimensions] = 0.0
    # The probability of a pixel falls with its squared distance times exp(10 bandwidth).
    last.bias[spec.dimensions :] = 1.0 - 0.2 * math.log(step / _STEP)
