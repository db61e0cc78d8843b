"""What a checkpoint says of the networks that look at crops of single cells."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..spec import Count, SpecPart

__all__ = ["ARCHITECTURES", "Architecture", "CropClassifierSpec", "PositivitySpec"]

Architecture = Literal[
    "efficientnet_v2_s",
    "efficientnet_v2_m",
    "efficientnet_v2_l",
    "mobilenetv4_conv_small",
    "mobilenetv4_conv_medium",
    "mobilenetv4_conv_large",
]

ARCHITECTURES: tuple[Architecture, ...] = (
    "efficientnet_v2_s",
    "efficientnet_v2_m",
    "efficientnet_v2_l",
    "mobilenetv4_conv_small",
    "mobilenetv4_conv_medium",
    "mobilenetv4_conv_large",
)


class CropClassifierSpec(SpecPart):
    """A classifier of crops (thesis, section 5.3.2).

    Attributes:
        architecture: of its trunk, by its name in torchvision (EfficientNet) or timm (MobileNet).
        channels: of the image; the crop has the object's mask besides.
        stem_padding: of the trunk's first convolution, which has stride 1.
        embedding: width of the layer before the logits; None where the trunk's features are classified directly.
        logits: how many it gives; more than there are classes if it was trained on several sets of labels at once.
    """

    architecture: Architecture
    channels: Count
    stem_padding: int = Field(default=1, ge=0, le=1)
    embedding: Count | None = None
    logits: Count


class PositivitySpec(SpecPart):
    """MobileNet-ISAB (thesis, section 6.3.1).

    Attributes:
        architecture: of the trunk, by its name in torchvision (EfficientNet) or timm (MobileNet).
        stem_padding: of the trunk's first convolution, which has stride 1.
        embedding: width of a cell's embedding.
        heads: of the attention; no weight tells.
        inducing_points: that summarise a bag.
        norms: whether the attention blocks have layer norms.
    """

    architecture: Architecture = "mobilenetv4_conv_small"
    stem_padding: int = Field(default=1, ge=0, le=1)
    embedding: Count = 64
    heads: Count = 4
    inducing_points: Count = 16
    norms: bool = False

    @model_validator(mode="after")
    def _heads_share_the_embedding(self) -> PositivitySpec:
        if self.embedding % self.heads:
            raise ValueError(f"an embedding of {self.embedding} does not split into {self.heads} heads")
        return self
