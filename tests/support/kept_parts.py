# Compiled by torch.jit.script: annotations have to be real types here.
"""The stage that keeps connected parts as a model of its own, whose image is a label map."""

from typing import Dict, Optional  # noqa: UP035 -- TorchScript reads these

import torch
from torch import Tensor, nn

from instanseg_export.families.base import SegmentationForward
from instanseg_export.families.settings import Setting
from instanseg_export.stages.connected import connected_labels

__all__ = ["KeptParts"]

SETTINGS = tuple(Setting(name, "bool", True, help=f"whether {name}.") for name in ("connected", "matched"))


class Nothing(nn.Module):
    """The network of a model without one."""

    multiple = 1

    def forward(self, image: Tensor) -> Tensor:
        return image


class KeptParts(SegmentationForward):
    """Takes nuclei and cells as two channels."""

    connected: Tensor
    matched: Tensor

    def __init__(self) -> None:
        super().__init__(Nothing(), 2, 2, SETTINGS, {setting.name: True for setting in SETTINGS})

    @property
    def stage_names(self) -> tuple[str, ...]:
        return ("labels",)

    def forward(self, image: Tensor, args: Optional[Dict[str, Tensor]] = None) -> Tensor:  # noqa: UP006, UP045
        return self.stages(image, args)["labels"]

    @torch.jit.export
    def stages(self, image: Tensor, args: Optional[Dict[str, Tensor]] = None) -> Dict[str, Tensor]:  # noqa: UP006, UP045
        matched = self.override(args, "matched", self.matched)
        connected = self.override(args, "connected", self.connected)
        return {"labels": connected_labels(image, matched, connected)}
