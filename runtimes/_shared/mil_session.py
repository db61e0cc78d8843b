"""A session around the interpreter of Core ML's programs."""

from __future__ import annotations

from typing import Any

import numpy as np
from mil.program import MilProgram
from numpy.typing import NDArray
from runner_protocol import METADATA_KEY, Request, UnavailableError, read_facts


class InterpretedSession:
    """A program of one input."""

    def __init__(self, request: Request) -> None:
        from importlib.metadata import version

        self._program = MilProgram(request.model)
        read_facts(self._program.properties.get(METADATA_KEY, ""))
        for name in request.settings:
            raise UnavailableError(f"the setting {name} is fixed at export in this format")
        self._input, self._shape = next(iter(self._program.shapes.items()))
        self.version = f"(coremltools {version('coremltools')})"
        self.device = "cpu (interpreter)"

    def run(self, image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        if image.shape != self._shape:
            raise ValueError(f"the program takes images of shape {self._shape}, not {image.shape}")
        return self._program.run({self._input: image})

    def split(self, image: NDArray[np.float32]) -> dict[str, float]:
        raise UnavailableError("the interpreter does not tell the parts of a program apart")
