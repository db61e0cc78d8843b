# Compiled by torch.jit.script: annotations have to be real types here.
"""The stage that keeps connected parts as a model of its own, whose image is a label map."""

from typing import Dict, Optional  # noqa: UP035 -- TorchScript reads these

import torch
from torch import Tensor, nn

from instanseg_export.stages.connected import connected_labels

__all__ = ["KeptParts"]


class KeptParts(nn.Module):
    """Takes nuclei and cells as two channels; see ``families.base.Forward``."""

    __jit_unused_properties__ = ["dimensions", "further", "stage_names"]  # noqa: RUF012 -- read by TorchScript

    connected: Tensor
    matched: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.channels = 2
        self.register_buffer("connected", torch.tensor(True))
        self.register_buffer("matched", torch.tensor(True))

    @property
    def dimensions(self) -> int:
        return 2

    @property
    def stage_names(self) -> tuple[str, ...]:
        return ("labels",)

    @property
    def further(self) -> tuple[str, ...]:
        return ()

    def forward(self, image: Tensor, args: Optional[Dict[str, Tensor]] = None) -> Tensor:  # noqa: UP006, UP045
        return self.stages(image, args)["labels"]

    @torch.jit.export
    def stages(self, image: Tensor, args: Optional[Dict[str, Tensor]] = None) -> Dict[str, Tensor]:  # noqa: UP006, UP045
        matched, connected = self.matched, self.connected
        if args is not None:
            if "matched" in args:
                matched = args["matched"]
            if "connected" in args:
                connected = args["connected"]
        return {"labels": connected_labels(image, matched, connected)}
