"""What every family's forward offers to the targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .tunables import Tunable, Value

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Forward"]


class Forward(Protocol):
    """An ``nn.Module`` in eval mode: image in, label map out.

    Attributes:
        channels: of the image; 0 where any number is taken.
        tunables: what can be tuned.
        values: the value of each tunable that was baked in.
    """

    channels: int

    @property
    def tunables(self) -> tuple[Tunable, ...]: ...

    @property
    def values(self) -> dict[str, Value]: ...

    def __call__(self, image: Tensor, args: dict[str, Tensor] | None = None) -> Tensor:
        """Map (B, C, H, W) float32 to labels (B, T, H, W) float32; ``args`` override settings in this call."""
        ...

    def stages(self, image: Tensor, args: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Return the intermediate results of ``targets.base.STAGES``."""
        ...

    def to(self, device: torch.device | str) -> Forward:
        """Move the weights to a device."""
        ...
