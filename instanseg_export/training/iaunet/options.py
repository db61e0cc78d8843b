"""What a recipe may set in IAUNet's objective."""

from __future__ import annotations

from pydantic import Field

from ...families.spec import SpecPart

__all__ = ["IAUNetOptions"]


class IAUNetOptions(SpecPart):
    """The weights of the objective (thesis of Prytula 2025, section 3.6).

    Attributes:
        class_weight, mask_weight, dice_weight: lambda of the cross-entropy of classes, of that of masks and of Dice, in
            the matching and in the loss.
        nothing_weight: of the class "no object" in the cross-entropy.
        deep: whether what the queries say after each block counts, and not the last word alone.
    """

    class_weight: float = Field(default=1.0, ge=0)
    mask_weight: float = Field(default=5.0, ge=0)
    dice_weight: float = Field(default=2.0, ge=0)
    nothing_weight: float = Field(default=0.1, ge=0)
    deep: bool = True
