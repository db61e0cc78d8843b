"""ONNX files with other outputs, for runtimes that give only what a graph returns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import onnx


def add_outputs(model: onnx.ModelProto, tensors: Iterable[str]) -> None:
    """Make tensors of a model's main graph outputs too, unless they are."""
    present = {output.name for output in model.graph.output}
    for tensor in dict.fromkeys(tensors):
        if tensor not in present:
            model.graph.output.append(onnx.ValueInfoProto(name=tensor))


def initializers(model: onnx.ModelProto) -> dict[str, Any]:
    """Return the tensors that a client may override, by name: initializers that are inputs too."""
    inputs = {value.name for value in model.graph.input}
    return {tensor.name: tensor for tensor in model.graph.initializer if tensor.name in inputs}
