"""Stages become internal."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

__all__ = ["HideStages"]


class HideStages(ir.passes.InPlacePass):
    """Leave only the results of the forward as outputs. The stages keep their names, by which they can be read out.

    Requires: each result is an output of the graph.
    Ensures: the outputs are the results, in their order.

    Args:
        results: names of the outputs that stay.
    """

    def __init__(self, results: Sequence[str]) -> None:
        super().__init__()
        self.results = list(results)

    def requires(self, model: ir.Model) -> None:
        """See the class."""
        outputs = {value.name for value in model.graph.outputs}
        for name in self.results:
            if name not in outputs:
                raise ir.passes.PreconditionError(f"HideStages: the graph has no output {name}")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """See the class."""
        outputs = {value.name: value for value in model.graph.outputs}
        modified = list(outputs) != self.results
        model.graph.outputs.clear()
        model.graph.outputs.extend(outputs[name] for name in self.results)
        return ir.passes.PassResult(model, modified=modified)

    def ensures(self, model: ir.Model) -> None:
        """See the class."""
        if [value.name for value in model.graph.outputs] != self.results:
            raise ir.passes.PostconditionError(f"HideStages: the outputs are not {', '.join(self.results)}")
