"""Makes a trained network cheaper to run: the same function with fewer passes over its feature maps."""

from __future__ import annotations

import copy
import re

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..errors import CheckpointError

__all__ = ["for_inference"]

_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def for_inference(network: nn.Module) -> nn.Module:
    """Return a copy whose batch norms are folded into their convolutions, with weights in channels-last order.

    Blocks that have a form for inference alone take it on (``prepare_for_inference``). A batch norm that no longer
    learns is a scale and a shift of each channel, which the convolution before it can do itself. What is left has the
    structure of the same network without norms. Channels-last is the order in which convolutions on CPUs are fastest.

    Args:
        network: trained, of :mod:`networks`; it is not changed.

    Raises:
        CheckpointError: a weight that is left is not finite, as where a variance is negative or a scale is immense.
    """
    folded = copy.deepcopy(network).eval()
    for block in folded.modules():
        if isinstance(block, nn.Sequential):
            _fold_sequence(block)
        else:
            _fold_attributes(block)
        if callable(rewrite := getattr(block, "prepare_for_inference", None)):
            rewrite()
    for name, weight in folded.state_dict().items():
        if weight.is_floating_point() and not weight.is_meta and not torch.isfinite(weight).all():
            raise CheckpointError(
                f"{name} becomes infinite or NaN when its batch normalisation is joined with its convolution.",
                hint="Training diverged, or the checkpoint is damaged; use an earlier checkpoint.",
            )
    volumes = any(isinstance(module, nn.Conv3d) for module in folded.modules())
    return folded.to(memory_format=torch.channels_last_3d if volumes else torch.channels_last)


def _fold_sequence(block: nn.Sequential) -> None:
    # From the end, so that places before what is deleted stay.
    for place in range(len(block) - 1, 0, -1):
        folded = _fold(block[place - 1], block[place])
        if folded is not None:
            block[place - 1] = folded
            del block[place]


def _fold_attributes(block: nn.Module) -> None:
    """Fold ``bn1`` into ``conv1`` and so on, as torchvision calls them.

    Without a number they need not follow one another: ``bn`` can follow a convolution and a pooling.
    """
    for name, norm in list(block.named_children()):
        if not re.fullmatch(r"bn\d", name):
            continue
        before = name.replace("bn", "conv")
        folded = _fold(getattr(block, before, None), norm)
        if folded is not None:
            setattr(block, before, folded)
            setattr(block, name, nn.Identity())


def _fold(convolution: object, norm: nn.Module) -> nn.Module | None:
    """Return the convolution that does what both do, or None if they are no such pair."""
    if not isinstance(convolution, _CONVOLUTIONS) or not isinstance(norm, (nn.BatchNorm2d, nn.BatchNorm3d)):
        return None
    transposed = isinstance(convolution, (nn.ConvTranspose2d, nn.ConvTranspose3d))
    return fuse_conv_bn_eval(convolution, norm, transpose=transposed)
