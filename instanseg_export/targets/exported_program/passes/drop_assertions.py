"""Assertions about sizes go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...program import ProgramPass, calls, graphs

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["DropAssertions"]


class DropAssertions(ProgramPass):
    """Remove what the exporter asserts of sizes, and what was computed for that alone.

    It asserts that no size is special, and so refuses images whose sizes need no padding. All sizes compute alike.

    Ensures: no graph asserts anything of a number.
    """

    def call(self, program: ExportedProgram) -> None:
        """See the class."""
        import torch

        for module, node in calls(program, torch.ops.aten._assert_scalar.default):
            module.graph.erase_node(node)
        for module in graphs(program):
            module.graph.eliminate_dead_code()

    def ensures(self, program: ExportedProgram) -> str:
        """See the class."""
        import torch

        return "an assertion is left" if any(calls(program, torch.ops.aten._assert_scalar.default)) else ""
