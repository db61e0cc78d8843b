"""Sums of sizes become additions."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from ...program import ProgramPass, calls

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["AddSums"]


class AddSums(ProgramPass):
    """Replace each sum of several sizes, which the format has no word for, by additions of two.

    Ensures: no graph calls ``torch.sym_sum``.
    """

    def call(self, program: ExportedProgram) -> None:
        """See the class."""
        import torch

        for module, node in calls(program, torch.sym_sum):
            terms = cast(Sequence[Any], node.args[0])
            total, value = terms[0], _value(terms[0])
            with module.graph.inserting_before(node):
                for term in terms[1:]:
                    total = module.graph.call_function(operator.add, (total, term))
                    value = value + _value(term)
                    total.meta["val"] = value
            node.replace_all_uses_with(total)
            module.graph.erase_node(node)

    def ensures(self, program: ExportedProgram) -> str:
        """See the class."""
        import torch

        return "a sum of sizes is left" if any(calls(program, torch.sym_sum)) else ""


def _value(term: Any) -> Any:
    """Return the size that a node stands for, or the number that a term is."""
    return term.meta["val"] if hasattr(term, "meta") else term
