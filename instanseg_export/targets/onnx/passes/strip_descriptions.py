"""What says more of this machine than of the model is dropped."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

__all__ = ["StripDescriptions"]


class StripDescriptions(ir.passes.InPlacePass):
    """Drop stack traces, sources and other remarks of the exporter, and the types of values that a reader infers.

    Requires: nothing.
    Ensures: no node, value, graph or model has metadata or a documentation string; in the main graph only inputs and
        outputs have types and shapes.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """See the class."""
        model.metadata_props.clear()
        model.doc_string = None
        model.graph.metadata_props.clear()
        model.graph.doc_string = None
        kept = {*model.graph.inputs, *model.graph.outputs}
        for value in [*model.graph.initializers.values(), *_results(model.graph)]:
            if value not in kept:
                value.type = None
                value.shape = None
        for described in _described(model):
            described.metadata_props.clear()
            described.doc_string = None
        return ir.passes.PassResult(model, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """See the class."""
        for described in [model, model.graph, *_described(model)]:
            if described.metadata_props or described.doc_string:
                raise ir.passes.PostconditionError(f"StripDescriptions: there is a description left in {described}")


def _results(graph: ir.Graph) -> Iterator[ir.Value]:
    for node in graph:
        yield from node.outputs


def _described(model: ir.Model) -> Iterator[ir.Node | ir.Value | ir.Graph]:
    """Yield all nodes, those of subgraphs and functions included, with their values and graphs."""
    yield from model.graph.inputs
    yield from model.graph.initializers.values()
    roots: list[ir.Graph | ir.Function] = [model.graph, *model.functions.values()]
    for root in roots:
        for node in ir.traversal.RecursiveGraphIterator(root):
            yield node
            yield from node.outputs
            for attribute in node.attributes.values():
                if attribute.type == ir.AttributeType.GRAPH:
                    graph = attribute.as_graph()
                    yield graph
                    yield from graph.inputs
                    yield from graph.initializers.values()
