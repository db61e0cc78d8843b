"""A session around a PyTorch module, scripted or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from runner_protocol import RESULT, Request, UnavailableError, encode_setting


def torch_device(name: str) -> torch.device:
    """Return the device called ``name``, with reduced-precision shortcuts off.

    Raises:
        UnavailableError: this machine has no such device.
    """
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("PyTorch finds no CUDA device here")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UnavailableError("PyTorch finds no Apple GPU here")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return device


class TorchSession:
    """Calls ``module(image, args)`` and, when asked, ``module.stages(image, args)``.

    Args:
        module: on ``device`` already.
        device: where it lies.
        request: what the command line asks for.
        metadata: what the file says of itself, or None.
    """

    def __init__(
        self, module: Callable[..., Any], device: torch.device, request: Request, metadata: Mapping[str, Any] | None
    ) -> None:
        self._module: Any = module
        self._device = device
        self._stages = request.stages
        self._args = {
            name: torch.from_numpy(encode_setting(name, value, metadata)).to(device)
            for name, value in request.settings.items()
        }
        self.version = str(torch.__version__)
        self.device = str(device) if device.type == "cpu" else f"{device} ({_device_name(device)})"

    def run(self, image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        with torch.inference_mode():
            tensor = torch.from_numpy(image).to(self._device)
            arguments = (tensor, self._args) if self._args else (tensor,)
            outputs = {RESULT: self._module(*arguments).cpu().numpy()}
            if self._stages:
                found = self._module.stages(*arguments)
                outputs |= {f"stage.{name}": value.cpu().numpy() for name, value in found.items()}
        return outputs


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "Apple GPU"
