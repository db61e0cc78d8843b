"""Which nodes of an ONNX file have no kernel in ONNX Runtime's CUDA provider, so that they run on the CPU."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import onnx
from onnx.defs import OpSchema, get_schema

__all__ = ["HOST_DRIVEN", "nodes_on_the_host", "operators"]

HOST_DRIVEN = {"Compress", "If", "Loop", "NonZero", "Scan"}
"""They have CUDA kernels, but the host decides or waits: for a condition, or for the size of a result."""

OPSET = 18

_TABLE = Path(__file__).resolve().parent.parent / "data" / "cuda_kernels.json"


def operators(file: Path) -> set[str]:
    """Return the operators in a file, those inside loops included."""
    return {node.op_type for node, _ in _nodes(onnx.load(file).graph, {})}


def nodes_on_the_host(file: Path) -> Counter[tuple[str, str]]:
    """Count the nodes of a file that no CUDA kernel takes, by operator and the first type that rules one out."""
    kernels = json.loads(_TABLE.read_text(encoding="utf-8"))["kernels"]
    model = onnx.shape_inference.infer_shapes(onnx.load(file), strict_mode=True)
    assert {entry.domain: entry.version for entry in model.opset_import} == {"": OPSET}, "the table is of this opset"
    found: Counter[tuple[str, str]] = Counter()
    for node, types in _nodes(model.graph, {}):
        kernel = kernels.get(node.op_type)
        for constraint, kind in _typed(node, types):
            if kernel is None or kind not in kernel.get(constraint, [kind]):
                found[node.op_type, kind] += 1
                break
    return found


def _nodes(graph: onnx.GraphProto, outer: Mapping[str, str]) -> Iterator[tuple[onnx.NodeProto, Mapping[str, str]]]:
    """Yield the nodes of a graph and of the graphs inside it, each with the types of all tensors that it can see."""
    values = [*graph.input, *graph.value_info, *graph.output]
    types = {**outer, **{value.name: _name(value.type.tensor_type.elem_type) for value in values}}
    types |= {tensor.name: _name(tensor.data_type) for tensor in graph.initializer}
    for node in graph.node:
        yield node, types
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g, types)


def _name(kind: int) -> str:
    return str(onnx.TensorProto.DataType.Name(kind)).lower()


def _typed(node: onnx.NodeProto, types: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the type constraint of each input and output of a node, and the type that it has here."""
    schema = get_schema(node.op_type, OPSET)
    for names, forms in ((node.input, schema.inputs), (node.output, schema.outputs)):
        for place, name in enumerate(names):
            if name:
                yield _form(forms, place).type_str, types[name]


def _form(forms: Sequence[OpSchema.FormalParameter], place: int) -> OpSchema.FormalParameter:
    """Return the parameter at a place, the last of which may stand for many."""
    return forms[min(place, len(forms) - 1)]
