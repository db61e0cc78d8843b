"""Calls exported files, whatever their format, with arrays in and arrays out."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch

from instanseg_export.checkpoints import Checkpoint
from instanseg_export.families.base import SegmentationForward
from instanseg_export.targets import TARGETS, write_artifact

__all__ = ["MODELS", "OnnxModel", "TorchScriptModel", "write_both"]

_PROVIDERS = ["CPUExecutionProvider"]


def write_both(checkpoint: Checkpoint, forward: SegmentationForward, folder: Path) -> Path:
    """Write instanseg.pt and model.onnx into ``folder``."""
    for name in ("torchscript", "onnx"):
        write_artifact(name, forward, checkpoint, folder / TARGETS.get(name).filename)
    return folder


class TorchScriptModel:
    """An ``instanseg.pt``; settings are given by name, as Python numbers or lists."""

    def __init__(self, folder: Path) -> None:
        self.module = torch.jit.load(folder / "instanseg.pt")

    def __call__(self, image: np.ndarray, **settings: Any) -> np.ndarray:
        with torch.inference_mode():
            labels: np.ndarray = self.module(torch.from_numpy(image), _tensors(settings)).numpy()
        return labels

    def stages(self, image: np.ndarray, **settings: Any) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            found = self.module.stages(torch.from_numpy(image), _tensors(settings))
        return {name: value.numpy() for name, value in found.items()}


def _tensors(settings: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value) for name, value in settings.items()}


class OnnxModel:
    """A ``model.onnx``; settings are given by name, as Python numbers.

    Args:
        folder: where it lies.
        threads: of ONNX Runtime.
        optimised: with the default graph optimisations, or none.
    """

    def __init__(self, folder: Path, *, threads: int = 1, optimised: bool = True) -> None:
        self._path = folder / "model.onnx"
        self._options = options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        if not optimised:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.session = ort.InferenceSession(self._path, options, providers=_PROVIDERS)
        self.overridable = {node.name: node.type for node in self.session.get_overridable_initializers()}

    def _feed(self, image: np.ndarray, settings: dict[str, Any]) -> dict[str, np.ndarray]:
        types: dict[str, Any] = {
            "tensor(float)": np.float32,
            "tensor(int64)": np.int64,
            "tensor(bool)": np.bool_,
        }
        arrays = {name: np.array(value, dtype=types[self.overridable[name]]) for name, value in settings.items()}
        return {"image": image, **arrays}

    def __call__(self, image: np.ndarray, **settings: Any) -> np.ndarray:
        labels: np.ndarray = self.session.run(None, self._feed(image, settings))[0]
        return labels

    def stages(self, image: np.ndarray, **settings: Any) -> dict[str, np.ndarray]:
        names, session = self._staged
        values = session.run(list(names.values()), self._feed(image, settings))
        return dict(zip(names, values, strict=True))

    @cached_property
    def _staged(self) -> tuple[dict[str, str], ort.InferenceSession]:
        """Each stage's tensor, and a session that gives them: reading them must not change what the other computes."""
        model = onnx.load(self._path)
        properties = {entry.key: entry.value for entry in model.metadata_props}
        names: dict[str, str] = json.loads(properties["instanseg_export"])["stages"]
        result = model.graph.output[0].name
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names.values() if name != result)
        return names, ort.InferenceSession(model.SerializeToString(), self._options, providers=_PROVIDERS)


MODELS = {"torchscript": TorchScriptModel, "onnx": OnnxModel}
