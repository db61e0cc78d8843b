"""What every family's forward offers to the targets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ..metadata import LABELS, Axis, Role
from .settings import Tunable, Value

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["LABELS", "Forward", "FurtherOutput", "label_map"]


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


class Forward(Protocol):
    """An ``nn.Module`` in eval mode: image in, label map out.

    Attributes:
        channels: of the image; 0 where any number is taken.
        dimensions: spatial axes of the image, 2 or 3.
        percentiles: by which ``normalize`` rescales, low and high.
        stage_names: the intermediate results that ``stages`` gives, in the order of computing: "normalize" (the image
            that the network sees), "network" (its raw output), what the family computes from it, "labels", and the
            names of further outputs.
        further: results beside the label map; their order is that of the tuple that a call then returns.
        tunables: what can be tuned.
        values: the value of each tunable that was baked in.
        convolves_after_network: whether there are convolutions in post-processing too, so that the network's end cannot
            be told by the last one.
    """

    channels: int

    @property
    def dimensions(self) -> int: ...

    @property
    def percentiles(self) -> tuple[float, float]: ...

    @property
    def stage_names(self) -> tuple[str, ...]: ...

    @property
    def further(self) -> tuple[FurtherOutput, ...]: ...

    @property
    def tunables(self) -> tuple[Tunable, ...]: ...

    @property
    def values(self) -> dict[str, Value]: ...

    @property
    def convolves_after_network(self) -> bool: ...

    def __call__(self, image: Tensor, args: dict[str, Tensor] | None = None) -> Tensor | tuple[Tensor, ...]:
        """Map (B, C, [D,] H, W) float32 to labels (B, T, [D,] H, W) float32; ``args`` override settings in this call.

        With further outputs it returns a tuple, the labels first.
        """
        ...

    def stages(self, image: Tensor, args: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Return the intermediate results that ``stage_names`` names."""
        ...

    def to(self, device: torch.device | str) -> Forward:
        """Move the weights to a device."""
        ...


def label_map(result: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Return the labels among the results of a call."""
    return result[0] if isinstance(result, tuple) else result
