# TorchScript compiles what is here, so annotations stay evaluated (no `from __future__ import annotations`).
"""What the forwards of all families share, and what they offer to the targets."""

from typing import TYPE_CHECKING, Any, Dict, Optional  # noqa: UP035 -- TorchScript reads Dict and Optional

import torch
from torch import Tensor, nn

from ..errors import ExportError
from .outputs import FurtherOutput
from .settings import Setting, Value

__all__ = ["SegmentationForward"]


def _as_scalar(setting: Setting, value: Any) -> Tensor:
    """Return the value of a setting as a scalar; a choice is its place among the choices."""
    if setting.kind == "choice":
        return torch.tensor(setting.choices.index(value))
    if setting.kind == "float":
        return torch.tensor(float(value), dtype=torch.float32)
    return torch.tensor(bool(value) if setting.kind == "bool" else int(value))


class SegmentationForward(nn.Module):
    """Image in, label map out, in eval mode.

    A subclass computes the results. It has the methods ``forward(image, args=None)``, which maps (B, C, [D,] H, W)
    float32 to labels (B, T, [D,] H, W) float32 or, with further outputs, to a tuple with the labels first; and
    ``stages(image, args=None)``, which returns the intermediate results that ``stage_names`` names. ``args`` override
    settings in a call. TorchScript compiles both.

    Args:
        network: maps images, whose sizes are multiples of its attribute ``multiple``, to feature maps.
        channels: of the image; None where any number is taken.
        dimensions: spatial axes of the image, 2 or 3.
        settings: what the family lets users set.
        baked: a value for each setting. Those that decide values alone become buffers, so that each format can
            offer them to its clients.

    Attributes:
        channels: of the image; 0 where any number is taken.
        dimensions: spatial axes of the image, 2 or 3.
    """

    __jit_unused_properties__ = [  # noqa: RUF012 -- read by TorchScript
        "baked",
        "convolves_after_network",
        "further",
        "open_loops",
        "paired_by",
        "percentiles",
        "stage_names",
        "settings",
    ]

    normalize: Tensor

    if TYPE_CHECKING:

        def stages(self, image: Tensor, args: dict[str, Tensor] | None = None) -> dict[str, Tensor]: ...

    def __init__(
        self,
        network: nn.Module,
        channels: int | None,
        dimensions: int,
        settings: tuple[Setting, ...],
        baked: dict[str, Value],
    ) -> None:
        super().__init__()
        self.network = network
        self.channels = channels or 0
        self.dimensions = dimensions
        self.multiple = int(network.multiple)  # type: ignore[arg-type]
        self._settings = settings
        self._baked = dict(baked)
        for setting in settings:
            if setting.decides == "values":
                self.register_buffer(setting.name, _as_scalar(setting, baked[setting.name]))

    @property
    def percentiles(self) -> tuple[float, float]:
        """By which ``normalize`` rescales, low and high."""
        return 0.1, 99.9

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The results that ``stages`` gives, in the order of computing.

        They are "normalize" (the image that the network sees), "network" (its raw output), what the family computes
        from it, "labels", and the names of further outputs.
        """
        raise NotImplementedError

    @property
    def further(self) -> tuple[FurtherOutput, ...]:
        """Results beside the label map; their order is that of the tuple that a call then returns."""
        return ()

    @property
    def paired_by(self) -> str | None:
        """The setting that gives a nucleus and its cell one label; None where structures are never matched."""
        return None

    @property
    def settings(self) -> tuple[Setting, ...]:
        """What can be set."""
        return self._settings

    @property
    def baked(self) -> dict[str, Value]:
        """The value of each setting that was baked in."""
        return {setting.name: self._baked[setting.name] for setting in self.settings}

    @property
    def convolves_after_network(self) -> bool:
        """Whether there are convolutions in post-processing too, so that the last one is not the network's end."""
        return False

    @property
    def open_loops(self) -> bool:
        """Whether it takes one object of an image after another, of which nobody knows the number before."""
        return True

    def static_form(self, height: int, width: int, seeds: int) -> nn.Module:
        """Return the form for runtimes that know static shapes and no loops over data.

        It maps (1, C, H, W) float32 to three results: the labels (1, T, H, W) float32, and the outputs
        :data:`.metadata.SEED_COUNT` and :data:`.metadata.INCOMPLETE`. The labels are those of the forward with its
        baked settings, as long as the last one is 0.

        Args:
            height: of the image, in pixels.
            width: of the image, in pixels.
            seeds: how many there is room for, over all structures.

        Raises:
            ExportError: there is no such form.
        """
        raise ExportError(
            "Formats of fixed sizes cannot be written for this kind of network.",
            hint="Leave them out of --targets: torchscript and onnx take every network.",
        )

    def network_output(self, normal: Tensor) -> Tensor:
        """Return the stage "network" of an image that is normalised already, with the baked settings.

        Args:
            normal: the stage "normalize".
        """
        raise NotImplementedError

    def require_network_output(self) -> None:
        """Check that :meth:`network_output` gives something.

        Raises:
            ExportError: this kind of network has no such part.
        """
        if type(self).network_output is SegmentationForward.network_output:
            raise ExportError(
                "The network alone cannot be written for this kind of network.",
                hint="Leave such formats out of --targets: torchscript and onnx take every network.",
            )

    def check(self, image: Tensor) -> None:
        """Refuse, in words, an image that the network cannot take.

        Raises:
            ValueError: another number of axes or channels than the network takes, or no pixels.
        """
        if image.dim() != self.dimensions + 2:
            expected = "height, width" if self.dimensions == 2 else "depth, height, width"
            raise ValueError(f"expected an image of shape (batch, channels, {expected}), got {image.shape}")
        if self.channels > 0 and image.shape[1] != self.channels:
            raise ValueError(f"this model takes {self.channels} channels, the image has {image.shape[1]}")
        if image.numel() == 0:
            raise ValueError(f"the image is empty: its shape is {image.shape}")

    def override(self, args: Optional[Dict[str, Tensor]], name: str, baked: Tensor) -> Tensor:  # noqa: UP006, UP045
        """Return ``args[name]`` as a scalar of the type and on the device of the baked value, or that itself."""
        if args is not None and name in args:
            return args[name].reshape(-1)[0].to(device=baked.device, dtype=baked.dtype)
        return baked
