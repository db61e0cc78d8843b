"""What a forward gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..metadata import Axis, Role

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FurtherOutput", "label_map"]


@dataclass(frozen=True)
class FurtherOutput:
    """A result beside the label map.

    Attributes:
        name: as clients know it; it is also the name of the stage that gives it.
        help: what it holds, in one sentence.
        role: what it is for, so that later stations need not know its name; see ``metadata.Role``.
        axes: of the tensor. "instance" stands for rows whose number depends on the image: row r belongs to label r + 1.
            "channel" for columns; "y" and "x" for those of the image; "batch" for images.
        channels: what each column of the axis "channel" is; empty where they are the image's own channels.
        values: what each value from 0 on means, where values are numbers of classes.
        dtype: as a package declares it. An output with ``values`` has an unsigned one, or the model zoo refuses them,
            and only beside it QuPath reads the names of classes.
    """

    name: str
    help: str
    axes: tuple[Axis, ...]
    role: Role = field(kw_only=True)
    channels: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    dtype: str = "float32"


def label_map(result: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Return the labels among the results of a call."""
    return result[0] if isinstance(result, tuple) else result
