"""What a recipe may set in InstanSeg's objective."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...families.spec import SpecPart

__all__ = ["InstanSegOptions"]


class InstanSegOptions(SpecPart):
    """The weights and limits of the objective.

    Attributes:
        warm_start: steps with easier losses at the beginning: cross-entropy of the foreground in place of the distance,
            Dice in place of the Lovász hinge (Goldsborough et al. 2024, section 2.5, where they are 10 epochs).
        instance_weight: of the instance loss, where the seed loss has 1. The paper adds them up as they are; the
            published code takes 1.5.
        background_weight: of the seed loss where the target is below 0.5, which is all background and the rims.
        instances: the most seeds that are sampled in a structure of a crop, 50 in the paper.
        window: width in pixels of the square around a seed in which its mask is compared.
        peak_distance: two sampled seeds are more than this many pixels apart.
        instance_loss: "lovasz_hinge", as in the paper; "dice" and "cross_entropy" are for comparison.
    """

    warm_start: int = Field(default=10_000, ge=0)
    instance_weight: float = Field(default=1.5, ge=0)
    background_weight: float = Field(default=1.0, gt=0)
    instances: int = Field(default=50, ge=1)
    window: int = Field(default=128, ge=8, le=1024)
    peak_distance: int = Field(default=3, ge=1, le=64)
    instance_loss: Literal["lovasz_hinge", "dice", "cross_entropy"] = "lovasz_hinge"
