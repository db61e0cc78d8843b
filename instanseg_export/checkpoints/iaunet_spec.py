"""What a checkpoint says of an IAUNet."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["IAUNetSpec", "ResNetSpec", "SwinSpec"]

Four = tuple[int, int, int, int]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ResNetSpec(_Spec):
    """A ResNet of bottleneck blocks.

    Attributes:
        depths: blocks at each resolution: (3, 4, 6, 3) is ResNet-50, (3, 4, 23, 3) ResNet-101.
    """

    kind: Literal["resnet"] = "resnet"
    depths: Four


class SwinSpec(_Spec):
    """A Swin Transformer.

    Attributes:
        dim: channels of the first feature map.
        depths: blocks at each resolution.
        heads: of the attention at each resolution.
        window: width of a window in positions.
    """

    kind: Literal["swin"] = "swin"
    dim: int = Field(ge=1)
    depths: Four
    heads: Four
    window: int = Field(ge=2)


class IAUNetSpec(_Spec):
    family: Literal["iaunet"] = "iaunet"
    name: str
    targets: tuple[str, ...] = ("cells",)
    channels: int = Field(default=3, ge=1)
    pixel_size: float | None = Field(default=None, gt=0)
    encoder: ResNetSpec | SwinSpec = Field(discriminator="kind")
    classes: tuple[str, ...] = ("cell",)
    queries: int = Field(default=100, ge=1)
    dim: int = 256
    heads: int = 8
    hidden: int = 1024
    blocks_per_level: int = 3
