"""What a checkpoint is, in numbers that users can compare."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from .base import Checkpoint

if TYPE_CHECKING:
    from torch import nn

    from ..networks.instanseg import InstanSegNetwork

__all__ = ["ANY_CHANNELS", "Summary", "gflop_per_megapixel", "summarise"]

ANY_CHANNELS = 3
"""Channels of the image on which the cost of a network for any number of channels is counted."""


@dataclass(frozen=True)
class Summary:
    """The facts that ``instanseg-export inspect`` prints.

    Attributes:
        family, name, targets, pixel_size, norm, inferred: as in the description and the checkpoint.
        channels: of the image; None for any number.
        layers: channels of the U-Net's levels, from full resolution to the coarsest.
        adaptor: the kind of network in front of the U-Net, or None.
        parameters: trained numbers, the pixel classifier's included.
        gflop_per_megapixel: thousand million multiplications and additions (two for each multiply-accumulate) of the
            network for 10^6 pixels, of three channels where it takes any number. The pixel classifier is not in it:
            its cost depends on the number of objects.
        reader: which reader recognised the file.
        sha256: of the file, in hex.
    """

    family: str
    name: str
    targets: tuple[str, ...]
    channels: int | None
    pixel_size: float | None
    layers: tuple[int, ...]
    norm: str
    adaptor: str | None
    parameters: int
    gflop_per_megapixel: float
    reader: str
    sha256: str
    inferred: tuple[str, ...]


def summarise(checkpoint: Checkpoint) -> Summary:
    """Return the facts about a checkpoint; nothing is computed on an image."""
    spec = checkpoint.spec
    return Summary(
        family=spec.family,
        name=spec.name,
        targets=spec.targets,
        channels=spec.channels,
        pixel_size=spec.pixel_size,
        layers=spec.backbone.layers,
        norm=spec.backbone.norm,
        adaptor=None if spec.adaptor is None else type(spec.adaptor).__name__.removesuffix("Spec"),
        parameters=sum(parameter.numel() for parameter in checkpoint.network.parameters()),
        gflop_per_megapixel=gflop_per_megapixel(checkpoint.network, spec.channels or ANY_CHANNELS),
        reader=checkpoint.reader,
        sha256=checkpoint.sha256,
        inferred=checkpoint.inferred,
    )


def gflop_per_megapixel(network: nn.Module, channels: int) -> float:
    """Return the cost of a network of the forwards for 10^6 pixels of so many channels; see :class:`Summary`.

    It is counted on the meta device, where tensors have shapes and no data.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    hollow = copy.deepcopy(network).to("meta")
    side = 16 * cast("InstanSegNetwork", network).multiple
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        hollow(torch.empty(1, channels, side, side, device="meta"))
    return float(counter.get_total_flops()) / side**2 * 1e6 / 1e9
