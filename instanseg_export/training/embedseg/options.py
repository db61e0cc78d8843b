"""What a recipe may set in EmbedSeg's objective."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...families.spec import SpecPart

__all__ = ["EmbedSegOptions"]


class EmbedSegOptions(SpecPart):
    """The weights of the objective (Lalit et al. 2022, appendix A; defaults as in the published notebooks).

    Attributes:
        instance_weight, variance_weight, seed_weight: of the three terms.
        foreground_weight: of pixels of instances in the seed term.
        centre: where an instance's pixels shall point: "medoid" or "centroid".
    """

    instance_weight: float = Field(default=1.0, ge=0)
    variance_weight: float = Field(default=10.0, ge=0)
    seed_weight: float = Field(default=1.0, ge=0)
    foreground_weight: float = Field(default=10.0, ge=0)
    centre: Literal["medoid", "centroid"] = "medoid"
