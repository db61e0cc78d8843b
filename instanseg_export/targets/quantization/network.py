"""The network's part of an exported ONNX file: cut out as a model of its own, and put back when it has changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

__all__ = ["BorderReader", "cut_network", "head_nodes", "replace_network"]

_ENDS_OF_VALUES = ("Shape", "Size")
"""Operators whose output says nothing of the values that they get."""


def used_names(node: Any) -> Iterator[str]:
    """Yield the tensors that a node reads, those of its subgraphs included."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        graphs = [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
        for graph in graphs:
            for inner in graph.node:
                yield from used_names(inner)
            yield from (output.name for output in graph.output)


def _after(nodes: list[Any], names: Iterable[str], *, through: bool = True) -> set[int]:
    """Return the places of the nodes that depend on tensors: ``through`` their shapes too, or on values alone."""
    reached, found = set(names), set()
    for place, node in enumerate(nodes):
        if reached.intersection(used_names(node)) and (through or node.op_type not in _ENDS_OF_VALUES):
            found.add(place)
            reached.update(node.output)
    return found


def _before(nodes: list[Any], names: Iterable[str]) -> set[int]:
    """Return the places of the nodes that tensors depend on."""
    needed, found = set(names), set()
    for place in reversed(range(len(nodes))):
        if needed.intersection(nodes[place].output):
            found.add(place)
            needed.update(used_names(nodes[place]))
    return found


def _region(nodes: list[Any], start: str, end: str) -> set[int]:
    """Return the nodes on a path of values from ``start`` to ``end``, and those between two of them."""
    core = _after(nodes, [start], through=False) & _before(nodes, [end])
    outputs = [name for place in core for name in nodes[place].output]
    inputs = [name for place in core for name in used_names(nodes[place])]
    return core | (_after(nodes, outputs) & _before(nodes, inputs))


def cut_network(model: onnx.ModelProto, stages: dict[str, str]) -> onnx.ModelProto:
    """Return the nodes between the stages ``normalize`` and ``network`` as a model.

    Args:
        model: an exported ONNX model.
        stages: the tensor of each stage; see ``families.base.SegmentationForward.stage_names``.

    Returns:
        A model whose inputs are all tensors that the part reads from the rest, the normalised image among them, and
        whose outputs are all that the rest reads from it. Names are those of ``model``.
    """
    import onnx

    graph = model.graph
    nodes = list(graph.node)
    region = _region(nodes, stages["normalize"], stages["network"])
    inside = [nodes[place] for place in sorted(region)]
    made = {name for node in inside for name in node.output}
    read = list(dict.fromkeys(name for node in inside for name in used_names(node) if name not in made))
    read_outside = {stages["network"], *(output.name for output in graph.output)}
    for place, node in enumerate(nodes):
        if place not in region:
            read_outside.update(used_names(node))
    # A setting is an initializer that is also an input: it stays with the rest.
    settings = {value.name for value in graph.input}
    constants = {tensor.name: tensor for tensor in graph.initializer if tensor.name not in settings}
    types = _types(model)
    cut = onnx.helper.make_graph(
        inside,
        "network",
        [types[name] for name in read if name in types and name not in constants],
        [types[name] for node in inside for name in node.output if name in read_outside],
        [constants[name] for name in read if name in constants],
    )
    part = onnx.helper.make_model(cut, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    part.functions.extend(model.functions)
    return part


def _types(model: onnx.ModelProto) -> dict[str, Any]:
    """Return name, type and, where it is known, shape of every tensor."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    return {value.name: value for value in [*graph.input, *graph.output, *graph.value_info]}


def replace_network(model: onnx.ModelProto, stages: dict[str, str], part: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of ``model`` with ``part`` in the place of what :func:`cut_network` cut out of it.

    All other nodes, inputs, initializers, outputs and metadata stay what they are.
    """
    import onnx

    merged = onnx.ModelProto()
    merged.CopyFrom(model)
    graph = merged.graph
    nodes = list(model.graph.node)
    region = _region(nodes, stages["normalize"], stages["network"])
    later = _after(nodes, [name for place in region for name in nodes[place].output]) - region
    del graph.node[:]
    graph.node.extend(node for place, node in enumerate(nodes) if place not in region | later)
    graph.node.extend(part.graph.node)
    graph.node.extend(nodes[place] for place in sorted(later))

    outside = {name for place, node in enumerate(nodes) if place not in region for name in used_names(node)}
    outside.update(value.name for value in graph.input)
    kept = [tensor for tensor in graph.initializer if tensor.name in outside]
    names = {tensor.name for tensor in kept}
    del graph.initializer[:]
    graph.initializer.extend(kept)
    graph.initializer.extend(tensor for tensor in part.graph.initializer if tensor.name not in names)
    known = {entry.domain for entry in merged.opset_import}
    used = {node.domain for node in part.graph.node}
    merged.opset_import.extend(
        entry for entry in part.opset_import if entry.domain in used and entry.domain not in known
    )
    return merged


def head_nodes(part: onnx.ModelProto) -> list[str]:
    """Return the names of the network's heads: the convolutions that no other follows, and what comes after them."""
    nodes = list(part.graph.node)
    convolutions = {place for place, node in enumerate(nodes) if node.op_type == "Conv"}
    last = {place for place in convolutions if _after(nodes, nodes[place].output).isdisjoint(convolutions)}
    following = _after(nodes, [name for place in last for name in nodes[place].output])
    return [nodes[place].name for place in sorted(last | following)]


class BorderReader:
    """Runs an exported file up to its network, and gives what the network gets.

    Args:
        model: the exported ONNX model.
        part: of :func:`cut_network`.
    """

    def __init__(self, model: onnx.ModelProto, part: onnx.ModelProto) -> None:
        import onnx
        import onnxruntime as ort  # type: ignore[import-untyped]

        self._names = [value.name for value in part.graph.input]
        probe = onnx.ModelProto()
        probe.CopyFrom(model)
        del probe.graph.output[:]
        probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in self._names)
        needed = _before(list(model.graph.node), self._names)
        del probe.graph.node[:]
        probe.graph.node.extend(model.graph.node[place] for place in sorted(needed))
        options = ort.SessionOptions()
        options.log_severity_level = 3
        self._session = ort.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def __call__(self, image: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the inputs of the network for one image (C, H, W)."""
        batch = np.ascontiguousarray(image[None], dtype=np.float32)
        return dict(zip(self._names, self._session.run(self._names, {"image": batch}), strict=True))
