# Compiled by torch.jit.script: annotations have to be real types here.
"""A forward that is exported in seconds, for tests of targets and runtimes: normalise, a network, a threshold."""

from pathlib import Path
from typing import Any, ClassVar, Dict, List, Literal, Optional  # noqa: UP035 -- TorchScript reads these

import torch
from torch import Tensor, nn

from ..checkpoints import Checkpoint
from ..families.base import SegmentationForward
from ..families.outputs import FurtherOutput
from ..families.settings import NORMALIZE_MODES, Setting
from ..families.spec import ModelSpec

__all__ = ["SmallForward", "small_checkpoint", "small_image"]

SETTINGS = (
    Setting("normalize", "choice", "always", choices=NORMALIZE_MODES, help="divide by the largest value."),
    Setting("level", "float", 0.5, help="brighter pixels are the instance."),
    Setting("reach", "int", 1, maximum=9, decides="graph", help="by how many pixels the instance grows."),
    Setting("mirror", "bool", False, decides="forward", help="look at the mirrored image."),
)


class Mean(nn.Module):
    """The network: one weight per channel."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.2, 0.3, 0.5])[:, None, None])

    def forward(self, image: Tensor) -> Tensor:
        return (image * self.weight).sum(1, keepdim=True)


class SmallForward(SegmentationForward):
    """Labels what is bright as instance 1.

    Args:
        network: maps (B, 3, H, W) to (B, 1, H, W).
        promised: names of further outputs that it says it has, and has not.
    """

    level: Tensor

    def __init__(self, network: nn.Module | None = None, promised: tuple[str, ...] = ()) -> None:
        network = (network or Mean()).eval().requires_grad_(False)
        network.multiple = 1  # type: ignore[assignment]
        super().__init__(network, 3, 2, SETTINGS, {setting.name: setting.default for setting in SETTINGS})
        self.reach = 1
        self._promised = promised

    @property
    def percentiles(self) -> tuple[float, float]:
        return 0.0, 100.0

    @property
    def stage_names(self) -> tuple[str, ...]:
        return "normalize", "network", "labels"

    @property
    def further(self) -> tuple[FurtherOutput, ...]:
        return tuple(FurtherOutput(name, "nothing.", ("batch", "y", "x"), role="other") for name in self._promised)

    @property
    def open_loops(self) -> bool:
        return False

    def static_form(self, height: int, width: int, seeds: int) -> nn.Module:
        return SmallStaticForm(self)

    def network_output(self, normal: Tensor) -> Tensor:
        network: Tensor = self.network(normal)
        return network

    def forward(self, image: Tensor, args: Optional[Dict[str, Tensor]] = None) -> Tensor:  # noqa: UP006, UP045
        return self.compute(image, args)[2]

    @torch.jit.export
    def stages(self, image: Tensor, args: Optional[Dict[str, Tensor]] = None) -> Dict[str, Tensor]:  # noqa: UP006, UP045
        normal, network, labels = self.compute(image, args)
        return {"normalize": normal, "network": network, "labels": labels}

    def compute(self, image: Tensor, args: Optional[Dict[str, Tensor]]) -> List[Tensor]:  # noqa: UP006, UP045
        level = self.override(args, "level", self.level)
        mode = self.override(args, "normalize", self.normalize)
        reach = self.reach
        if args is not None and "reach" in args:
            reach = int(args["reach"].item())
        largest = image.amax(dim=[1, 2, 3], keepdim=True).clamp(min=1e-6)
        normal = torch.where(mode == 2, image, image / largest)
        network = self.network(normal)
        bright = (network > level).to(torch.float32)
        labels = nn.functional.max_pool2d(bright, 2 * reach + 1, 1, reach)
        return [normal, network, labels]


class SmallStaticForm(nn.Module):
    """The same with nothing that depends on the image but values. It has no seeds, and nothing is ever left out."""

    def __init__(self, forward: SmallForward) -> None:
        super().__init__()
        self.inner = forward

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return labels, the count of seeds, and that the labels are complete."""
        labels = self.inner.compute(image, None)[2]
        return labels, labels.amax(dim=(1, 2, 3)), labels.amin(dim=(1, 2, 3)) * 0.0


class SmallSpec(ModelSpec):
    """The description of such a network. No family is registered for it."""

    title: ClassVar[str] = "Small"
    family: Literal["small"] = "small"
    name: str = "small"
    structures: tuple[str, ...] = ("bright",)
    channels: int = 3

    @property
    def architecture(self) -> str:
        return "one weight per channel"

    @property
    def tags(self) -> tuple[str, ...]:
        return ("small",)

    @property
    def citations(self) -> tuple[tuple[str, str], ...]:
        return ()


def small_checkpoint(**fields: Any) -> Checkpoint:
    """Return the checkpoint that a :class:`SmallForward` was built from, as far as its files tell."""
    return Checkpoint(SmallSpec(**fields), nn.Identity(), Path("small"), "0" * 64, "test")


def small_image(height: int, width: int, batch: int = 1) -> Tensor:
    """Return an image (B, 3, H, W) in which every setting of a :class:`SmallForward` makes a difference."""
    return torch.rand((batch, 3, height, width), generator=torch.Generator().manual_seed(1))
