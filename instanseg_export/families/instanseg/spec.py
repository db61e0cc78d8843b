"""The description of an InstanSeg network."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from ...limits import MAX_CHANNELS
from ...metadata import STRUCTURES
from ..spec import Count, ModelSpec, SpecPart
from .backbone_spec import BackboneSpec, Norm, UNetSpec

__all__ = ["ChannelNetSpec", "InstanSegSpec", "Norm", "StructureName", "UNetSpec"]

StructureName = Literal["nuclei", "cells"]

_INSTANSEG = (
    "Goldsborough, T. et al. (2024) InstanSeg: an embedding-based instance segmentation algorithm optimized for "
    "accurate, efficient and portable cell segmentation. arXiv.",
    "10.48550/arXiv.2408.15954",
)
_CHANNELNET = (
    "Goldsborough, T. et al. (2024) A novel channel invariant architecture for the segmentation of cells and "
    "nuclei in multiplexed images using InstanSeg. bioRxiv.",
    "10.1101/2024.09.04.611150",
)


class ChannelNetSpec(SpecPart):
    """ChannelNet, which maps any number of channels to a fixed one (thesis, section 4.3).

    Attributes:
        out_channels: channels that it hands to the U-Net.
        layers: channels of its three levels, from full resolution to the coarsest.
        norm: the normalisation after each convolution.
        aggregation: how a channel's features meet the maximum over all channels.
    """

    out_channels: Count
    layers: tuple[Count, Count, Count]
    norm: Norm
    aggregation: Literal["concat", "no_aggregation", "sum"] = "concat"


class InstanSegSpec(ModelSpec):
    """All that is needed to rebuild an InstanSeg network and its forward, except for the weights.

    Attributes:
        structures: what is segmented, in the order of the output channels.
        channels: of the image; None where a ChannelNet takes any number.
        backbone, adaptor: the network, and another one in front of it.
        dim_coords, n_sigma, dim_seeds: channels per structure of the positional embedding, of the conditional embedding
            and of the seed map, in the order of the network's output.
        mlp_width: hidden units of the pixel classifier.
        feature_engineering: what the pixel classifier sees beside offsets ("0" and "7": offsets and sigma; "2": the
            offsets' norm too; "3": sigma zeroed; "10": a positional guide, with a deeper classifier).
    """

    title: ClassVar[str] = "InstanSeg"

    family: Literal["instanseg"] = "instanseg"
    structures: tuple[StructureName, ...] = Field(validation_alias=STRUCTURES, min_length=1, max_length=2)
    backbone: BackboneSpec
    adaptor: ChannelNetSpec | UNetSpec | None = None
    dim_coords: int = Field(ge=2, le=MAX_CHANNELS)
    n_sigma: int = Field(ge=0, le=MAX_CHANNELS)
    dim_seeds: int = Field(ge=1, le=2)
    mlp_width: Count
    feature_engineering: Literal["0", "2", "3", "7", "10"] = "0"

    @property
    def channels_per_structure(self) -> int:
        return self.dim_coords + self.n_sigma + self.dim_seeds

    @property
    def architecture(self) -> str:
        front = ""
        if self.adaptor is not None:
            front = "ChannelNet and " if isinstance(self.adaptor, ChannelNetSpec) else "U-Net in front and "
        return front + self.backbone.architecture

    @property
    def limits(self) -> tuple[str, ...]:
        return ("Instances wider than twice `window_size` are cut.",)

    @property
    def tags(self) -> tuple[str, ...]:
        return ("instanseg", *self.backbone.tags)

    @property
    def citations(self) -> tuple[tuple[str, str], ...]:
        return (_INSTANSEG, _CHANNELNET) if self.channels is None else (_INSTANSEG,)

    @model_validator(mode="after")
    def _parts_fit(self) -> InstanSegSpec:
        expected = len(self.structures) * self.channels_per_structure
        if self.backbone.out_channels != expected:
            raise ValueError(
                f"the network's heads give {self.backbone.out_channels} channels, but {len(self.structures)} "
                f"structure(s) of dim_coords {self.dim_coords}, n_sigma {self.n_sigma} and "
                f"dim_seeds {self.dim_seeds} need {expected}"
            )
        if len(set(self.structures)) != len(self.structures):
            raise ValueError(f"structures are named twice: {', '.join(self.structures)}")
        if (self.channels is None) != isinstance(self.adaptor, ChannelNetSpec):
            raise ValueError("a network takes any number of channels if, and only if, it has a ChannelNet in front")
        if self.adaptor is not None and self.adaptor.out_channels != self.backbone.in_channels:
            raise ValueError(
                f"the adaptor gives {self.adaptor.out_channels} channels, but the U-Net takes "
                f"{self.backbone.in_channels}"
            )
        takes = self.adaptor.in_channels if isinstance(self.adaptor, UNetSpec) else self.backbone.in_channels
        if self.channels is not None and self.channels != takes:
            raise ValueError(f"channels is {self.channels}, but the network takes {takes}")
        return self
