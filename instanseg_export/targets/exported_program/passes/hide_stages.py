"""Stages become internal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...program import ProgramPass

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["HideStages"]


class HideStages(ProgramPass):
    """Leave only the results of the forward as outputs. The nodes of the stages stay, and can be read out by name.

    Requires: the program has an output per stage.
    Ensures: its outputs are the results, as the forward returns them: one tensor, or a tuple of several.

    Args:
        stages: names of the outputs there are.
        results: names of those that stay.
    """

    def __init__(self, stages: Sequence[str], results: Sequence[str]) -> None:
        self.stages = list(stages)
        self.results = list(results)

    def requires(self, program: ExportedProgram) -> str:
        """See the class."""
        found = len(program.graph_signature.output_specs)
        return "" if found == len(self.stages) else f"there are {found} outputs for {len(self.stages)} stages"

    def call(self, program: ExportedProgram) -> None:
        """See the class."""
        from torch.utils import _pytree as pytree

        places = [self.stages.index(name) for name in self.results]
        output = program.graph.output_node()
        nodes = output.args[0]
        assert isinstance(nodes, tuple | list)
        output.args = (tuple(nodes[place] for place in places),)
        specs = program.graph_signature.output_specs
        specs[:] = [specs[place] for place in places]
        signature = program.module_call_graph[0].signature
        assert signature is not None
        signature.out_spec = pytree.tree_structure(0 if len(places) == 1 else tuple(places))

    def ensures(self, program: ExportedProgram) -> str:
        """See the class."""
        found = len(program.graph_signature.user_outputs)
        return "" if found == len(self.results) else f"there are {found} outputs for {len(self.results)} results"
