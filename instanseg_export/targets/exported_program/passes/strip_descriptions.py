"""Traces of the machine that exported go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...program import ProgramPass, graphs

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["StripDescriptions"]

_REMARKS = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node", "custom")


class StripDescriptions(ProgramPass):
    """Remove what the exporter remarks about nodes: where in which Python file each came from.

    Ensures: no node has a remark.
    """

    def call(self, program: ExportedProgram) -> None:
        """See the class."""
        for module in graphs(program):
            for node in module.graph.nodes:
                for remark in _REMARKS:
                    node.meta.pop(remark, None)

    def ensures(self, program: ExportedProgram) -> str:
        """See the class."""
        left = {key for module in graphs(program) for node in module.graph.nodes for key in node.meta}
        found = left.intersection(_REMARKS)
        return f"there still is a {min(found)}" if found else ""
