"""What a checkpoint says of its network: frozen, validated and serialisable."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

__all__ = [
    "BackboneSpec",
    "CellSamSpec",
    "CellposeSamSpec",
    "ChannelNetSpec",
    "InstanSegSpec",
    "Norm",
    "SamEncoderSpec",
    "SamUNetSpec",
    "TargetName",
    "UNetSpec",
]

Norm = Literal["batch", "instance", "none"]
TargetName = Literal["nuclei", "cells"]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Backbone(_Spec):
    heads: tuple[tuple[int, ...], ...] = Field(min_length=1)

    @property
    def out_channels(self) -> int:
        return sum(sum(head) for head in self.heads)


class UNetSpec(_Backbone):
    """The convolutional U-Net of InstanSeg (Goldsborough et al. 2024, section 2.3).

    Attributes:
        in_channels: channels of its input.
        layers: channels of each level, from full resolution to the coarsest.
        norm: the normalisation after each convolution.
        heads: per decoder, the output channels of each of its final blocks.
    """

    in_channels: int = Field(ge=1)
    layers: tuple[int, ...] = Field(min_length=1)
    norm: Norm

    @property
    def window(self) -> int:
        """Height and width of the images that the network takes; 0 for any."""
        return 0

    @property
    def architecture(self) -> str:
        """The network in a few words, for people."""
        return f"U-Net {' '.join(map(str, self.layers))}, {self.norm} normalisation"


class SamEncoderSpec(_Spec):
    """The image encoder of the Segment Anything Model, a vision transformer (Kirillov et al. 2023).

    Attributes:
        in_channels: channels of its input.
        patch: pixels along a side of the square that becomes a token.
        grid: tokens along a side of the image.
        width: channels of a token.
        head_width: channels of an attention head.
        mlp_width: hidden units of the perceptron in each block.
        neck: channels of its output.
        attention_windows: for each block, the side in tokens of the squares within which tokens see each other; 0 if
            all see all.
    """

    in_channels: int = Field(ge=1)
    patch: int = Field(ge=1)
    grid: int = Field(ge=1)
    width: int = Field(ge=1)
    head_width: int = Field(ge=1)
    mlp_width: int = Field(ge=1)
    neck: int = Field(ge=1)
    attention_windows: tuple[int, ...] = Field(min_length=1)

    @property
    def heads(self) -> int:
        return self.width // self.head_width

    @property
    def size(self) -> int:
        """Height and width of its input in pixels."""
        return self.grid * self.patch

    @property
    def architecture(self) -> str:
        """The encoder in a few words, for people."""
        known = {(768, 12): "ViT-B", (1024, 24): "ViT-L", (1280, 32): "ViT-H"}
        depth = len(self.attention_windows)
        name = known.get((self.width, depth), f"ViT of {depth} blocks and {self.width} channels")
        return f"SAM {name}, {self.grid} x {self.grid} tokens of {self.patch} x {self.patch}"

    @model_validator(mode="after")
    def _heads_fit(self) -> SamEncoderSpec:
        if self.width % self.head_width:
            raise ValueError(f"{self.width} channels cannot be divided into heads of {self.head_width}")
        if any(not 0 <= window <= self.grid for window in self.attention_windows):
            raise ValueError(f"an attention window is larger than the grid of {self.grid} tokens")
        return self


class SamUNetSpec(UNetSpec):
    """The U-Net with SAM's encoder at its bottom (upstream's ``sam_unet``).

    Attributes:
        vit: the encoder; it takes the coarsest features, and its output has as many channels.
    """

    kind: Literal["sam_unet"] = "sam_unet"
    vit: SamEncoderSpec

    @property
    def window(self) -> int:
        return self.vit.size * 2 ** (len(self.layers) - 1)

    @property
    def architecture(self) -> str:
        return f"{super().architecture}, with {self.vit.architecture} at its bottom"

    @model_validator(mode="after")
    def _encoder_fits(self) -> SamUNetSpec:
        if self.vit.in_channels != self.layers[-1]:
            raise ValueError(
                f"the encoder takes {self.vit.in_channels} channels, but the coarsest level has {self.layers[-1]}"
            )
        return self


class CellposeSamSpec(_Backbone):
    """SAM's encoder with a linear readout of each patch, as in Cellpose-SAM (upstream's ``cellposesam``).

    Attributes:
        vit: the encoder.
        heads: the output channels.
    """

    kind: Literal["cellposesam"] = "cellposesam"
    vit: SamEncoderSpec

    @property
    def in_channels(self) -> int:
        return self.vit.in_channels

    @property
    def window(self) -> int:
        return self.vit.size

    @property
    def architecture(self) -> str:
        return f"{self.vit.architecture}, with Cellpose-SAM's readout"


class CellSamSpec(_Backbone):
    """SAM's encoder with two transposed convolutions behind it (thesis, section 4.6; upstream's ``cellsam``).

    Attributes:
        vit: the encoder.
        hidden: channels between the two convolutions.
        window: height and width of the images that the network was trained on, in pixels.
        heads: the output channels.
    """

    kind: Literal["cellsam"] = "cellsam"
    vit: SamEncoderSpec
    hidden: int = Field(ge=1)
    window: int = Field(ge=1)

    @property
    def in_channels(self) -> int:
        return self.vit.in_channels

    @property
    def architecture(self) -> str:
        return f"{self.vit.architecture}, with two transposed convolutions behind it"


def _kind(backbone: object) -> str:
    """Tell which network is described; descriptions of the plain U-Net do not say."""
    kind = backbone.get("kind", "unet") if isinstance(backbone, dict) else getattr(backbone, "kind", "unet")
    return str(kind)


BackboneSpec = Annotated[
    Annotated[UNetSpec, Tag("unet")]
    | Annotated[SamUNetSpec, Tag("sam_unet")]
    | Annotated[CellposeSamSpec, Tag("cellposesam")]
    | Annotated[CellSamSpec, Tag("cellsam")],
    Discriminator(_kind),
]


class ChannelNetSpec(_Spec):
    """ChannelNet, which maps any number of channels to a fixed one (thesis, section 4.3).

    Attributes:
        out_channels: channels that it hands to the U-Net.
        layers: channels of its three levels, from full resolution to the coarsest.
        norm: the normalisation after each convolution.
        aggregation: how a channel's features meet the maximum over all channels.
    """

    out_channels: int = Field(ge=1)
    layers: tuple[int, int, int]
    norm: Norm
    aggregation: Literal["concat", "no_aggregation", "sum"] = "concat"


class InstanSegSpec(_Spec):
    """All that is needed to rebuild an InstanSeg network and its forward, except for the weights.

    Attributes:
        name: of the model, as the user knows it.
        targets: what is segmented, in the order of the output channels.
        channels: of the image; None where a ChannelNet takes any number.
        pixel_size: in micrometres, of the images that the network was trained on; None when unknown.
        dim_coords, n_sigma, dim_seeds: channels per target of the positional embedding, of the conditional embedding
            and of the seed map, in the order of the network's output.
        mlp_width: hidden units of the pixel classifier.
        feature_engineering: what the pixel classifier sees beside offsets ("0" and "7": offsets and sigma; "2": the
            offsets' norm too; "3": sigma zeroed; "10": a positional guide, with a deeper classifier).
        settings: defaults of tunables that training found better than ours (name to value).
        source_datasets: names of the training data.
    """

    family: Literal["instanseg"] = "instanseg"
    name: str
    targets: tuple[TargetName, ...] = Field(min_length=1, max_length=2)
    channels: int | None = Field(ge=1)
    pixel_size: float | None = Field(default=None, gt=0)
    backbone: BackboneSpec
    adaptor: ChannelNetSpec | UNetSpec | None = None
    dim_coords: int = Field(ge=2)
    n_sigma: int = Field(ge=0)
    dim_seeds: int = Field(ge=1, le=2)
    mlp_width: int = Field(ge=1)
    feature_engineering: Literal["0", "2", "3", "7", "10"] = "0"
    settings: dict[str, float | int | bool | str | tuple[int, ...]] = Field(default_factory=dict)
    source_datasets: tuple[str, ...] = ()

    @property
    def channels_per_target(self) -> int:
        return self.dim_coords + self.n_sigma + self.dim_seeds

    @model_validator(mode="after")
    def _parts_fit(self) -> InstanSegSpec:
        expected = len(self.targets) * self.channels_per_target
        if self.backbone.out_channels != expected:
            raise ValueError(
                f"the network's heads give {self.backbone.out_channels} channels, but {len(self.targets)} target(s) of "
                f"dim_coords {self.dim_coords}, n_sigma {self.n_sigma} and dim_seeds {self.dim_seeds} need {expected}"
            )
        if len(set(self.targets)) != len(self.targets):
            raise ValueError(f"targets are named twice: {', '.join(self.targets)}")
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
