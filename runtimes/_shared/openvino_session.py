"""A session around OpenVINO."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import onnx
import openvino
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx_graph import add_outputs, initializers
from runner_protocol import (
    METADATA_KEY,
    Request,
    UnavailableError,
    encode_setting,
    read_facts,
)

_LARGEST = 2**31 - 1
_NO_END = {-(2**63), -(2**63) + 1, 2**63 - 1}
"""What exporters write for "to the end"."""


class OpenVinoSession:
    """An ONNX file in OpenVINO.

    OpenVINO takes a setting's default for a constant. So a setting that is given is written into the graph before it is
    compiled.

    Args:
        request: what the command line asks for.

    Raises:
        UnavailableError: OpenVINO is not used on that device here, a setting is fixed in this file, or the file
            computes what OpenVINO cannot.
        ValueError: a setting is unknown, or its value does not fit.
    """

    def __init__(self, request: Request) -> None:
        if request.device != "cpu":
            raise UnavailableError(f"OpenVINO is run on the CPU here, not on {request.device!r}")
        model = onnx.load(request.model)
        facts = read_facts(next((row.value for row in model.metadata_props if row.key == METADATA_KEY), ""))
        _require_small_numbers(model)
        settings = initializers(model)
        for name, value in request.settings.items():
            encoded = encode_setting(name, value, facts.settings)
            if name not in settings:
                raise UnavailableError(f"the setting {name} is fixed at export in this format")
            dtype = numpy_helper.to_array(settings[name]).dtype
            settings[name].CopyFrom(numpy_helper.from_array(encoded.astype(dtype), name))
        self._stages = facts.stages if request.stages else {}
        self._outputs = [output.name for output in model.graph.output]
        add_outputs(model, self._stages.values())
        core = openvino.Core()
        # By default it computes in bfloat16 where the processor can.
        options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if (threads := os.environ.get("OMP_NUM_THREADS", "")).isdigit():
            options["INFERENCE_NUM_THREADS"] = int(threads)
        self._compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", options)
        self.version = str(openvino.__version__).partition("-")[0]
        self.device = f"cpu ({core.get_property('CPU', 'FULL_DEVICE_NAME')})"

    def run(self, image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        found = self._compiled([image])
        values = {name: np.array(found[output]) for output in self._compiled.outputs for name in output.names}
        outputs = {name: values[name] for name in self._outputs}
        return outputs | {f"stage.{stage}": values[tensor] for stage, tensor in self._stages.items()}

    def split(self, image: NDArray[np.float32]) -> dict[str, float]:
        raise UnavailableError("OpenVINO runs the graph as a whole")


def _require_small_numbers(model: onnx.ModelProto) -> None:
    """Refuse a file that computes with whole numbers beyond 32 bits: OpenVINO cuts them without a word.

    Raises:
        UnavailableError: a constant is beyond them, and so is what is computed from it.
    """
    for tensor in _constants(model.graph):
        if tensor.data_type == onnx.TensorProto.INT64:
            values = set(numpy_helper.to_array(tensor).ravel().tolist()) - _NO_END
            if any(abs(value) > _LARGEST for value in values):
                raise UnavailableError(
                    "this file computes with whole numbers beyond 32 bits, which OpenVINO would cut without a word and "
                    "give wrong labels; run it in ONNX Runtime"
                )


def _constants(graph: onnx.GraphProto) -> list[onnx.TensorProto]:
    """Return the constants of a graph and of the graphs inside it."""
    found = list(graph.initializer)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found += _constants(attribute.g)
            elif attribute.HasField("t"):
                found.append(attribute.t)
    return found
