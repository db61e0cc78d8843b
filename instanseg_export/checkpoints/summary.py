"""What a checkpoint is, in numbers that users can compare."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from ..families.checkpoint import Checkpoint

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ANY_CHANNELS", "Summary", "gflop_per_megapixel", "parameters_of", "summarise"]

ANY_CHANNELS = 3
"""Channels of the image on which the cost of a network for any number of channels is counted."""


@dataclass(frozen=True)
class Summary:
    """The facts that ``instanseg-export inspect`` prints.

    Attributes:
        family, name, structures, pixel_size, inferred: as in the description and the checkpoint.
        channels: of the image; None for any number.
        architecture: the network in a few words.
        parameters: trained numbers, the pixel classifier's included.
        gflop_per_megapixel: thousand million multiplications and additions (two for each multiply-accumulate) of the
            network for 10^6 pixels, of three channels where it takes any number. The pixel classifier is not in it:
            its cost depends on the number of objects; nor is the overlap of the windows in which a network of a fixed
            size sees an image.
        reader: which reader recognised the file.
        sha256: of the file, in hex.
    """

    family: str
    name: str
    structures: tuple[str, ...]
    channels: int | None
    pixel_size: float | None
    architecture: str
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
        structures=spec.structures,
        channels=spec.channels,
        pixel_size=spec.pixel_size,
        architecture=spec.architecture,
        parameters=parameters_of(checkpoint),
        gflop_per_megapixel=gflop_per_megapixel(checkpoint.network, spec.channels or ANY_CHANNELS, spec.dimensions),
        reader=checkpoint.reader,
        sha256=checkpoint.sha256,
        inferred=checkpoint.inferred,
    )


def parameters_of(checkpoint: Checkpoint) -> int:
    """Return how many numbers were trained."""
    return sum(parameter.numel() for parameter in checkpoint.network.parameters())


def gflop_per_megapixel(network: nn.Module, channels: int, dimensions: int = 2) -> float:
    """Return the cost of a network for 10^6 pixels (or voxels) of so many channels; see :class:`Summary`.

    It is counted on the meta device, where tensors have shapes and no data.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    hollow = copy.deepcopy(network).to("meta")
    side = getattr(network, "window", 0) or (16 if dimensions == 2 else 4) * cast("_Padded", network).multiple
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        hollow(torch.empty(1, channels, *[side] * dimensions, device="meta"))
    return float(counter.get_total_flops()) / float(side**dimensions) * 1e6 / 1e9


class _Padded(Protocol):
    multiple: int
