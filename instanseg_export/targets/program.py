"""A program whose graphs may be changed, and what its passes share."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

__all__ = ["ProgramPass", "calls", "changeable", "graphs"]


def changeable(program: ExportedProgram) -> ExportedProgram:
    """Return a program with graphs and a signature of its own. The weights are the same tensors.

    It has no example inputs: they would be written with it, and are as large as an image.
    """
    from torch.export import ExportedProgram

    module = copy.deepcopy(program.graph_module)
    made = ExportedProgram(
        root=module,
        graph=module.graph,
        graph_signature=copy.deepcopy(program.graph_signature),
        state_dict=dict(program.state_dict),
        range_constraints=dict(program.range_constraints),
        module_call_graph=copy.deepcopy(program.module_call_graph),
        constants=program.constants,
        verifiers=program.verifiers,
    )
    # Symbols of sizes are shared with all that is made of one trace, and with them what other translations assume of
    # sizes: for this program counts what tracing assumed.
    made._guards_code = list(program._guards_code)
    return made


def graphs(program: ExportedProgram) -> Iterator[GraphModule]:
    """Yield the graph of a program and those inside it, which are the bodies of loops."""
    from torch.fx import GraphModule

    for module in program.graph_module.modules():
        if isinstance(module, GraphModule):
            yield module


def calls(program: ExportedProgram, target: object) -> Iterator[tuple[GraphModule, Node]]:
    """Yield the calls of a function in all graphs of a program, with the graph that each lies in."""
    for module in graphs(program):
        for node in list(module.graph.nodes):
            if node.op == "call_function" and node.target == target:
                yield module, node


class ProgramPass:
    """Changes a program in place. A subclass says what it requires of the program, and what it ensures."""

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.name = cls.__name__

    def __call__(self, program: ExportedProgram) -> None:
        """Run the pass.

        Raises:
            ValueError: the program is not what the pass requires, or has not become what it ensures.
        """
        if problem := self.requires(program):
            raise ValueError(f"{self.name}: {problem}")
        self.call(program)
        for module in graphs(program):
            module.recompile()
        if problem := self.ensures(program):
            raise ValueError(f"{self.name}: {problem}")

    def requires(self, program: ExportedProgram) -> str:
        """Return what the program lacks, in words; empty if nothing."""
        return ""

    def call(self, program: ExportedProgram) -> None:
        """Change the program."""
        raise NotImplementedError

    def ensures(self, program: ExportedProgram) -> str:
        """Return what the pass has left undone, in words; empty if nothing."""
        return ""
