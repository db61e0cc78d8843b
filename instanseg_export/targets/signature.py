"""What of a forward is traced: all of it, with its settings as inputs so that they stay variable, or its network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from ..stages import loops

if TYPE_CHECKING:
    from ..families.base import SegmentationForward

__all__ = ["NetworkAlone", "TracedSignature"]


class TracedSignature(nn.Module):
    """Maps (image, settings...) to the forward's stages.

    Args:
        forward: see :class:`families.base.SegmentationForward`.
        names: of the settings.
    """

    def __init__(self, forward: SegmentationForward, names: Sequence[str]) -> None:
        super().__init__()
        self.inner = forward
        self.names = list(names)
        self.stage_names = tuple(forward.stage_names)

    def baked(self) -> dict[str, Tensor]:
        """Return the scalars that were baked in."""
        return {name: getattr(self.inner, name).clone() for name in self.names}

    def forward(self, image: Tensor, settings: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """Run the forward; see the class."""
        stages = self.inner.stages(image, settings)
        return tuple(stages[name] for name in self.stage_names)


class NetworkAlone(nn.Module):
    """Maps the stage "normalize" to the stage "network", for images of one size.

    Args:
        forward: see :class:`families.base.SegmentationForward`.
    """

    def __init__(self, forward: SegmentationForward) -> None:
        super().__init__()
        self.inner = forward

    def forward(self, normal: Tensor) -> Tensor:
        """Run the network; see the class."""
        with loops.bounded():
            return self.inner.network_output(normal)
