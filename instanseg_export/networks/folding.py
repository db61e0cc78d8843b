"""Makes a trained network cheaper to run: the same function with fewer passes over its feature maps."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["for_inference"]


def for_inference(network: nn.Module) -> nn.Module:
    """Return a copy whose batch norms are folded into their convolutions, with weights in channels-last order.

    A batch norm that no longer learns is a scale and a shift of each channel, which the convolution before it can do
    itself. What is left has the structure of the same network without norms. Channels-last is the order in which
    convolutions on CPUs are fastest.

    Args:
        network: trained, of :mod:`networks`; it is not changed.
    """
    folded = copy.deepcopy(network).eval()
    for block in folded.modules():
        if isinstance(block, nn.Sequential) and len(block) > 1:
            convolution, norm = block[0], block[1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                block[0] = fuse_conv_bn_eval(convolution, norm)
                del block[1]
    return folded.to(memory_format=torch.channels_last)
