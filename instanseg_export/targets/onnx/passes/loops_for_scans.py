"""Loops over the rows of a tensor become loops over their numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

__all__ = ["LoopsForScans"]


class LoopsForScans(ir.passes.InPlacePass):
    """Replace each Scan by a Loop that takes a row at a time; OpenVINO reads no Scan whose body uses outer values.

    Requires: a Scan goes through its inputs' first axes, forwards, and stacks its results likewise.
    Ensures: there is no Scan; each Loop in its place has the same results under the same names.
    """

    def requires(self, model: ir.Model) -> None:
        """See the class."""
        for node in _scans(model):
            for attribute in node.attributes.values():
                if attribute.name not in ("body", "num_scan_inputs") and any(attribute.as_ints()):
                    raise ir.passes.PreconditionError(f"LoopsForScans: {node.name} has {attribute.name}")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """See the class."""
        scans = list(_scans(model))
        for number, node in enumerate(scans):
            _replace(node, model.graph, f"loop_{number}")
        return ir.passes.PassResult(model, modified=bool(scans))

    def ensures(self, model: ir.Model) -> None:
        """See the class."""
        for node in _scans(model):
            raise ir.passes.PostconditionError(f"LoopsForScans: {node.name} is left")


def _scans(model: ir.Model) -> Iterator[ir.Node]:
    return (node for node in ir.traversal.RecursiveGraphIterator(model.graph) if node.op_type == "Scan")


def _replace(scan: ir.Node, main: ir.Graph, name: str) -> None:
    body = scan.attributes["body"].as_graph()
    scanned = scan.attributes["num_scan_inputs"].as_int()
    states, rows = scan.inputs[:-scanned], scan.inputs[-scanned:]
    turn = ir.Value(name=f"{name}_turn", type=ir.TensorType(ir.DataType.INT64), shape=ir.Shape([]))
    again = ir.Value(name=f"{name}_again", type=ir.TensorType(ir.DataType.BOOL), shape=ir.Shape([]))
    inner_states, inner_rows = body.inputs[:-scanned], body.inputs[-scanned:]

    takes = []
    for row, inner in zip(rows, inner_rows, strict=True):
        take = ir.node("Gather", [row, turn], {"axis": 0}, name=f"{name}_{inner.name}")
        inner.replace_all_uses_with(take.outputs[0])
        take.outputs[0].name, inner.name = inner.name, None
        take.outputs[0].type, take.outputs[0].shape = inner.type, inner.shape
        takes.append(take)
    goes_on = ir.node("Identity", [again], name=f"{name}_goes_on")
    goes_on.outputs[0].name = f"{name}_goes_on"
    goes_on.outputs[0].type, goes_on.outputs[0].shape = again.type, again.shape
    first = next(iter(body), None)
    if first is None:
        body.extend([*takes, goes_on])
    else:
        body.insert_before(first, takes)
        body.append(goes_on)
    body.inputs.clear()
    body.inputs.extend([turn, again, *inner_states])
    body.outputs.insert(0, goes_on.outputs[0])

    yes = _constant(main, f"{name}_yes", np.array(True))
    axis = _constant(main, f"{name}_axis", np.array([0]))
    length = ir.node("Shape", [rows[0]], {"start": 0, "end": 1}, name=f"{name}_length")
    count = ir.node("Squeeze", [length.outputs[0], axis], name=f"{name}_count")
    length.outputs[0].name, count.outputs[0].name = f"{name}_length", f"{name}_count"
    del scan.attributes["body"]  # a graph belongs to one node
    loop = ir.node("Loop", [count.outputs[0], yes, *states], {"body": body}, num_outputs=len(scan.outputs), name=name)
    graph = scan.graph
    assert graph is not None
    graph.insert_before(scan, [length, count, loop])
    ir.convenience.replace_all_uses_with(scan.outputs, loop.outputs, replace_graph_outputs=True)
    for old, new in zip(scan.outputs, loop.outputs, strict=True):
        new.type, new.shape = old.type, old.shape
        new.name, old.name = old.name, None
    graph.remove(scan, safe=True)


def _constant(graph: ir.Graph, name: str, content: np.ndarray) -> ir.Value:
    tensor = ir.tensor(content, name=name)
    value = ir.Value(name=name, const_value=tensor, type=ir.TensorType(tensor.dtype), shape=ir.Shape(content.shape))
    graph.initializers.add(value)
    return value
