"""Runs the network in a .pte file by ExecuTorch: a normalised image in, the network's raw output out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "_shared"))

from runner_protocol import Request, Session, UnavailableError, serve


class NetworkSession:
    """A program of one method with one input and one output."""

    def __init__(self, request: Request) -> None:
        for name in request.settings:
            raise UnavailableError(f"the setting {name} is fixed at export in this format")
        with request.model.open("rb") as stream:
            if stream.read(6)[4:] != b"ET":  # ExecuTorch would end this process
                raise ValueError("the file is no ExecuTorch program")

        from importlib.metadata import version

        from executorch.runtime import Runtime, Verification

        self._program = Runtime.get().load_program(request.model, verification=Verification.InternalConsistency)
        method = self._program.load_method("forward")
        if method is None:
            raise ValueError("the program has no method forward")
        self._method: Any = method
        self._shape = tuple(method.metadata.input_tensor_meta(0).sizes())
        self.version = version("executorch")
        self.device = "cpu"

    def run(self, image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        import torch

        if image.shape != self._shape:
            raise ValueError(f"the program takes normalised images of shape {self._shape}, not {image.shape}")
        (output,) = self._method.execute([torch.from_numpy(image)])
        return {"network": output.numpy().copy()}

    def split(self, image: NDArray[np.float32]) -> dict[str, float]:
        raise UnavailableError("the program is the network alone")


def open_session(request: Request) -> Session:
    return NetworkSession(request)


if __name__ == "__main__":
    raise SystemExit(serve("executorch", open_session))
