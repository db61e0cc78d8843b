"""Descriptions of the networks that make InstanSeg's feature maps: the U-Net, and those with SAM's encoder in them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from ...limits import MAX_LAYERS
from ..spec import Count, SpecPart

__all__ = ["BackboneSpec", "CellSamSpec", "CellposeSamSpec", "Norm", "SamEncoderSpec", "SamUNetSpec", "UNetSpec"]

Norm = Literal["batch", "instance", "none"]


_MAX_LEVELS = 12
"""Of a U-Net: each halves the image, whose sides are multiples of 2 to this power."""

_Head = Annotated[tuple[Count, ...], Field(max_length=MAX_LAYERS)]


class _Backbone(SpecPart):
    heads: tuple[_Head, ...] = Field(min_length=1, max_length=MAX_LAYERS)

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

    in_channels: Count
    layers: tuple[Count, ...] = Field(min_length=1, max_length=_MAX_LEVELS)
    norm: Norm

    @property
    def window(self) -> int:
        """Height and width of the images that the network takes; 0 for any."""
        return 0

    @property
    def tags(self) -> tuple[str, ...]:
        """Words under which a model zoo lists the network."""
        return ("unet",)

    @property
    def architecture(self) -> str:
        """The network in a few words, for people."""
        return f"U-Net {' '.join(map(str, self.layers))}, {self.norm} normalisation"


class SamEncoderSpec(SpecPart):
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

    in_channels: Count
    patch: Count
    grid: Count
    width: Count
    head_width: Count
    mlp_width: Count
    neck: Count
    attention_windows: tuple[int, ...] = Field(min_length=1, max_length=MAX_LAYERS)

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
        return self.vit.size << (len(self.layers) - 1)

    @property
    def architecture(self) -> str:
        return f"{super().architecture}, with {self.vit.architecture} at its bottom"

    @property
    def tags(self) -> tuple[str, ...]:
        return ("unet", "segment-anything", "vision-transformer")

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

    @property
    def tags(self) -> tuple[str, ...]:
        return ("cellpose-sam", "segment-anything", "vision-transformer")


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
    hidden: Count
    window: Count

    @property
    def in_channels(self) -> int:
        return self.vit.in_channels

    @property
    def architecture(self) -> str:
        return f"{self.vit.architecture}, with two transposed convolutions behind it"

    @property
    def tags(self) -> tuple[str, ...]:
        return ("segment-anything", "vision-transformer")


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
