"""What recipes may set in the objectives of the networks that look at each cell."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from ...families.spec import Name, SpecPart

__all__ = ["ClassOptions", "PositivityOptions"]


class ClassOptions(SpecPart):
    """Of a classifier (thesis of Goldsborough, section 5.3.3).

    Attributes:
        sets: names of the sets of labels, in the order of their logits; nothing where there is one.
        balance: whether cells of each class are drawn equally often, rather than each cell; where types of images have
            shares, within each type.
    """

    sets: tuple[Annotated[Name, StringConstraints(min_length=1)], ...] = ()
    balance: bool = False


class PositivityOptions(SpecPart):
    """Of marker positivity (thesis of Goldsborough, section 6.3.1; gamma as in Lin et al. 2017).

    Attributes:
        gamma: how much less cells count that are easy to judge.
        cells: the most cells of a bag; of more, a random choice is drawn.
    """

    gamma: float = Field(default=2.0, ge=0, le=10)
    cells: int = Field(default=100, ge=1, le=10_000)
