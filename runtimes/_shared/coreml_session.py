"""A session around Apple's Core ML, on a Mac."""

from __future__ import annotations

from typing import Any

import coremltools as ct
import numpy as np
from numpy.typing import NDArray
from runner_protocol import METADATA_KEY, Request, UnavailableError, read_facts


class CoreMLSession:
    """An .mlpackage in Core ML.

    Args:
        request: what the command line asks for.
        units: what Core ML may compute on, a name of ``coremltools.ComputeUnit``.

    Raises:
        UnavailableError: this is no Mac, or a setting is asked for, which this format fixes at export.
    """

    def __init__(self, request: Request, units: str) -> None:
        import platform

        if platform.system() != "Darwin":
            raise UnavailableError("Core ML needs macOS")
        for name in request.settings:
            raise UnavailableError(f"the setting {name} is fixed at export in this format")
        self._model = ct.models.MLModel(str(request.model), compute_units=ct.ComputeUnit[units])
        description = self._model.get_spec().description
        read_facts(description.metadata.userDefined[METADATA_KEY])
        self._input = description.input[0].name
        self._shape = tuple(description.input[0].type.multiArrayType.shape)
        self.version = f"of macOS {platform.mac_ver()[0]} (coremltools {ct.__version__})"
        self.device = f"cpu ({units})"

    def run(self, image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        if image.shape != self._shape:
            raise ValueError(f"the program takes images of shape {self._shape}, not {image.shape}")
        found = self._model.predict({self._input: image})
        return {name: np.asarray(value) for name, value in found.items()}

    def split(self, image: NDArray[np.float32]) -> dict[str, float]:
        raise UnavailableError("Core ML does not tell the parts of a program apart")
