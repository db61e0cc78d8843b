"""A session around a PyTorch module, scripted or not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from runner_protocol import FileFacts, Request, UnavailableError, encode_setting
from torch.utils._python_dispatch import TorchDispatchMode


def torch_device(name: str) -> torch.device:
    """Return the device called ``name``, for runs that repeat bit by bit, without shortcuts of reduced precision.

    What the forwards add up in parallel, by scatter_add, is whole and below 2^24, so that no order of the terms rounds.
    That leaves convolutions and products of matrices.

    Raises:
        UnavailableError: this machine has no such device.
    """
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("PyTorch finds no CUDA device here")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UnavailableError("PyTorch finds no Apple GPU here")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read at the first product on the device
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    return device


class _ConvolutionClock(TorchDispatchMode):
    """Notes when each convolution starts and ends, in scripted modules too."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.spans: list[tuple[float, float]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "conv" not in func.name():
            return func(*args, **(kwargs or {}))
        start = time.perf_counter()
        result = func(*args, **(kwargs or {}))
        self.spans.append((start, time.perf_counter()))
        return result


class TorchSession:
    """Calls ``module(image, args)`` and, when asked, ``module.stages(image, args)``.

    Args:
        module: on ``device`` already.
        device: where it lies.
        request: what the command line asks for.
        facts: what the file says of itself, as far as it matters here.
    """

    def __init__(self, module: Callable[..., Any], device: torch.device, request: Request, facts: FileFacts) -> None:
        self._module: Any = module
        self._device = device
        self._stages = request.stages
        self._foreign = facts.settings is None
        self._convolutions_follow = facts.convolves_after_network
        self._outputs = facts.outputs
        self._args = {
            name: torch.from_numpy(encode_setting(name, value, facts.settings)).to(device)
            for name, value in request.settings.items()
        }
        self.version = str(torch.__version__)
        self.device = str(device) if device.type == "cpu" else f"{device} ({_device_name(device)})"

    def run(self, image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        with torch.inference_mode():
            # Files of others may write to their input: they get a copy. On other devices it is one in any case.
            tensor = torch.from_numpy(image).to(self._device, copy=self._foreign)
            arguments = (tensor, self._args) if self._args else (tensor,)
            result = self._module(*arguments)
            results = result if isinstance(result, tuple) else (result,)
            outputs = {name: value.cpu().numpy() for name, value in zip(self._outputs, results, strict=True)}
            if self._stages:
                found = self._module.stages(*arguments)
                outputs |= {f"stage.{name}": value.cpu().numpy() for name, value in found.items()}
        return outputs

    def split(self, image: NDArray[np.float32]) -> dict[str, float]:
        """The network is what lies between the start of the first convolution and the end of the last."""
        if self._device.type != "cpu":
            raise UnavailableError("on this device operators run on after their call has returned")
        if self._convolutions_follow:
            raise UnavailableError("there are convolutions in this model's post-processing too")
        with torch.inference_mode(), _ConvolutionClock() as clock:
            tensor = torch.from_numpy(image).to(self._device, copy=self._foreign)
            start = time.perf_counter()
            self._module(*((tensor, self._args) if self._args else (tensor,)))
        if not clock.spans:
            raise UnavailableError("no convolution was seen")
        first, last = clock.spans[0][0], clock.spans[-1][1]
        return {"normalisation": first - start, "network": last - first}


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "Apple GPU"
