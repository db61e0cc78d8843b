"""A session around ONNX Runtime."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from runner_protocol import (
    METADATA_KEY,
    RESULT,
    FileFacts,
    Request,
    SettingValue,
    UnavailableError,
    encode_setting,
    read_facts,
)

_DTYPES: dict[str, Any] = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}


def _threads() -> int:
    """Return how many threads the environment asks for; 0 leaves it to ONNX Runtime."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdigit() else 0


def _providers(device: str, tf32: bool) -> list[Any]:
    kind, _, index = device.partition(":")
    if kind == "cpu":
        return ["CPUExecutionProvider"]
    if kind != "cuda":
        raise UnavailableError(f"ONNX Runtime has no device {device!r}: use cpu or cuda")
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    options = {
        "device_id": index or "0",
        # On by default; it rounds the factors of each product to ten bits.
        "use_tf32": str(int(tf32)),
        # By default the fastest algorithm of this very run, so that the next run may round otherwise.
        "cudnn_conv_algo_search": "HEURISTIC",
    }
    return [("CUDAExecutionProvider", options), "CPUExecutionProvider"]


def _in_use(session: Any) -> str:
    """Return the providers that a session has, and whether TF32 is on where that matters."""
    options = session.get_provider_options()
    words = []
    for name in session.get_providers():
        tf32 = options.get(name, {}).get("use_tf32")
        words.append(name if tf32 is None else f"{name} with use_tf32={tf32}")
    return ", ".join(words)


def _with_stages(model: Path, stages: Mapping[str, str]) -> bytes:
    """Return the model with the tensors behind ``stages`` as further outputs."""
    import onnx
    from onnx_graph import add_outputs

    proto = onnx.load(model)
    add_outputs(proto, stages.values())
    return bytes(proto.SerializeToString())


def _until(model: Path, tensor: str) -> bytes:
    """Return the part of the model that computes ``tensor``, as a model."""
    import onnx

    proto = onnx.load(model)
    needed, kept = {tensor}, []
    for node in reversed(proto.graph.node):
        if needed.intersection(node.output):
            needed.update(_read_by(node))
            kept.append(node)
    del proto.graph.node[:]
    proto.graph.node.extend(reversed(kept))
    del proto.graph.output[:]
    proto.graph.output.append(onnx.ValueInfoProto(name=tensor))
    for values in (proto.graph.initializer, proto.graph.input):
        used = [value for value in values if value.name in needed]
        del values[:]
        values.extend(used)
    return bytes(proto.SerializeToString())


def _read_by(node: Any) -> Iterator[str]:
    """Yield the tensors that a node reads, those that the graphs inside it read included."""
    yield from node.input
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield from (output.name for output in attribute.g.output)
            for inner in attribute.g.node:
                yield from _read_by(inner)


class OrtSession:
    """An ONNX file in ONNX Runtime.

    Args:
        request: what the command line asks for.
        optimised: with the default graph optimisations, or with none.
        tf32: on CUDA, with the rounding that is on by default there.
        static: a file without loops. In the default order of nodes it computes too much too early: 2.2 GB, not 0.65 GB.

    Raises:
        UnavailableError: the session does not use the device that was asked for, or a setting is fixed in this file.
        ValueError: a setting's value does not fit.
    """

    def __init__(self, request: Request, *, optimised: bool, tf32: bool = False, static: bool = False) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = _threads()
        if os.environ.get("OMP_WAIT_POLICY", "").lower() == "passive":  # its own threads do not read that
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # A plan of all memory of a run, made after the first one: it took 1.7 times the memory and saved no time.
        options.enable_mem_pattern = False
        if static:
            options.execution_order = ort.ExecutionOrder.PRIORITY_BASED
        if not optimised:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.use_deterministic_compute = not request.device.startswith("cpu")
        providers = _providers(request.device, tf32)
        self._session = ort.InferenceSession(str(request.model), options, providers=providers)
        text = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        facts = read_facts(text or "")
        self._stages: Mapping[str, str] = facts.stages if request.stages else {}
        if self._stages:
            self._session = ort.InferenceSession(
                _with_stages(request.model, self._stages), options, providers=providers
            )
        self._model, self._options, self._providers = request.model, options, providers
        self._named = facts.stages
        self._parts: dict[str, Any] = {}
        in_use = self._session.get_providers()[0]
        if request.device.startswith("cuda") and in_use != "CUDAExecutionProvider":
            raise UnavailableError(f"ONNX Runtime could not use CUDA and fell back to {in_use}")
        self._settings = {name: self._setting(name, value, facts) for name, value in request.settings.items()}
        self._input = self._session.get_inputs()[0].name
        self.version = str(ort.__version__)
        self.device = f"{request.device} ({_in_use(self._session)})"

    def _setting(self, name: str, value: SettingValue, facts: FileFacts) -> NDArray[Any]:
        types = {node.name: node.type for node in self._session.get_overridable_initializers()}
        if name not in types:
            raise UnavailableError(f"the setting {name} is fixed at export in this format")
        return encode_setting(name, value, facts.settings).astype(_DTYPES[types[name]])

    def run(self, image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        names = [output.name for output in self._session.get_outputs()]
        values = dict(zip(names, self._session.run(names, {self._input: image, **self._settings}), strict=True))
        hidden = set(self._stages.values()) - {RESULT}
        outputs = {name: np.asarray(value) for name, value in values.items() if name not in hidden}
        return outputs | {f"stage.{stage}": np.asarray(values[name]) for stage, name in self._stages.items()}

    def split(self, image: NDArray[np.float32]) -> dict[str, float]:
        """Time the parts of the graph that end at the stages normalize and network, each as a model by itself."""
        if not {"normalize", "network"} <= set(self._named):
            raise UnavailableError("the file does not name its stages")
        normalisation, both = (self._seconds_until(stage, image) for stage in ("normalize", "network"))
        return {"normalisation": normalisation, "network": max(0.0, both - normalisation)}

    def _seconds_until(self, stage: str, image: NDArray[np.float32]) -> float:
        if stage not in self._parts:
            part = _until(self._model, self._named[stage])
            self._parts[stage] = ort.InferenceSession(part, self._options, providers=self._providers)
        session = self._parts[stage]
        taken = {node.name for node in (*session.get_inputs(), *session.get_overridable_initializers())}
        settings = {name: value for name, value in self._settings.items() if name in taken}
        start = time.perf_counter()
        session.run(None, {self._input: image, **settings})
        return time.perf_counter() - start
