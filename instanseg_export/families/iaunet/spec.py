"""What a checkpoint says of an IAUNet."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from ...limits import MAX_CHANNELS
from ...metadata import STRUCTURES
from ..spec import Count, Depth, ModelSpec, Name, SpecPart

__all__ = ["IAUNetSpec", "ResNetSpec", "SwinSpec"]

_IAUNET = (
    "Prytula, Y., Tsiporenko, I., Zeynalli, A. and Fishman, D. (2025) IAUNet: Instance-Aware U-Net. Proceedings of "
    "the IEEE/CVF Conference on Computer Vision and Pattern Recognition Workshops (CVMI).",
    "10.48550/arXiv.2508.01928",
)

Four = tuple[Count, Count, Count, Count]
FourDepths = tuple[Depth, Depth, Depth, Depth]


class ResNetSpec(SpecPart):
    """A ResNet of bottleneck blocks.

    Attributes:
        depths: blocks at each resolution: (3, 4, 6, 3) is ResNet-50, (3, 4, 23, 3) ResNet-101.
    """

    kind: Literal["resnet"] = "resnet"
    depths: FourDepths

    @property
    def title(self) -> str:
        return f"ResNet-{3 * sum(self.depths) + 2}"


class SwinSpec(SpecPart):
    """A Swin Transformer with patches of 4 x 4 pixels.

    Attributes:
        dim: channels of the first feature map: 96 for Swin-T and -S, 128 for Swin-B.
        depths: blocks at each resolution.
        heads: of the attention at each resolution.
        window: width of a window in positions.
    """

    kind: Literal["swin"] = "swin"
    dim: Count
    depths: FourDepths
    heads: Four
    window: int = Field(ge=2, le=1024)

    @property
    def title(self) -> str:
        return f"Swin {self.dim} ({' '.join(map(str, self.depths))}, window {self.window})"

    @model_validator(mode="after")
    def _heads_divide(self) -> SwinSpec:
        for level, heads in enumerate(self.heads):
            if heads < 1 or (self.dim * 2**level) % heads:
                raise ValueError(f"{heads} heads do not divide the {self.dim * 2**level} channels of level {level + 1}")
        return self


class IAUNetSpec(ModelSpec):
    """All that is needed to rebuild an IAUNet and its forward, except for the weights.

    Attributes:
        encoder: gives feature maps at 1/4, 1/8, 1/16 and 1/32.
        classes: names of the classes of instances, in the order of the class head; "no object" is not among them.
        queries: object queries: no more instances than this are found in an image.
        dim: channels of the pixel decoder and of the queries.
        heads: of the attentions of the queries.
        hidden: units of their feed-forward networks.
        blocks_per_level: transformer blocks at each of 1/32, 1/16 and 1/8.
        normalization: how images were normalised in training. "standard": by the image's mean and standard deviation
            over all channels, as the authors do; "percentile": each channel by its 0.1 and 99.9 percentiles.
    """

    title: ClassVar[str] = "IAUNet"

    family: Literal["iaunet"] = "iaunet"
    structures: tuple[Name, ...] = Field(default=("cells",), validation_alias=STRUCTURES, min_length=1, max_length=1)
    channels: Count = 3
    encoder: ResNetSpec | SwinSpec = Field(discriminator="kind")
    classes: tuple[Name, ...] = Field(default=("cell",), min_length=1, max_length=255)
    queries: Count = 100
    dim: int = Field(default=256, ge=4, le=MAX_CHANNELS)
    heads: Count = 8
    hidden: Count = 1024
    blocks_per_level: Depth = 3
    normalization: Literal["standard", "percentile"] = "standard"

    @property
    def architecture(self) -> str:
        return (
            f"{self.encoder.title}, pixel decoder of {self.dim} channels, {self.queries} queries, "
            f"{self.blocks_per_level} transformer blocks a level"
        )

    @property
    def tags(self) -> tuple[str, ...]:
        return ("iaunet", "transformer", "amodal-segmentation")

    @property
    def citations(self) -> tuple[tuple[str, str], ...]:
        return (_IAUNET,)

    @model_validator(mode="after")
    def _parts_fit(self) -> IAUNetSpec:
        if self.dim % 4:
            raise ValueError(f"dim is {self.dim}, but sines and cosines of rows and columns need a multiple of 4")
        if self.dim % self.heads:
            raise ValueError(f"{self.heads} heads do not divide the {self.dim} channels of a query")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes are named twice: {', '.join(self.classes)}")
        return self
