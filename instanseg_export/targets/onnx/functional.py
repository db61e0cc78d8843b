"""Operators that write to their input, and those without a translation, become ones that the exporter knows."""

from __future__ import annotations

from operator import getitem
from typing import TYPE_CHECKING, Any, cast

from ..program import ProgramPass, changeable, graphs
from .spellings import spellings

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

__all__ = ["UseFunctionalOperators", "translatable"]


_TRANSLATED = frozenset(
    f"aten::{name}"
    for name in (
        "contiguous",
        "conv2d",
        "conv3d",
        "expand_as",
        "layer_norm",
        "linear",
        "matmul",
        "max_pool2d",
        "max_pool3d",
        "narrow",
        "pad",
        "reshape",
        "softmax",
        "sym_size",
        "upsample_bilinear2d",
        "upsample_nearest2d",
        "view_as",
    )
)
"""Operators made of others that the exporter translates as they are."""


def translatable(program: ExportedProgram) -> ExportedProgram:
    """Return a program in operators that have a translation, as quickly as that is possible.

    The exporter traces a program twice more to get there, which takes longer than all else it does. Most of our
    programs need no more than other names for some operators; the others are left to it.

    Args:
        program: it is not changed.
    """
    plain = changeable(program)
    UseFunctionalOperators()(plain)
    return _decomposed_at_need(plain)


class UseFunctionalOperators(ProgramPass):
    """Replace operators by others that compute the same: those that write to their input, where nobody reads that
    afterwards, and those that are other spellings.

    Ensures: nothing; what cannot be replaced stays.
    """

    def call(self, program: ExportedProgram) -> None:
        """See the class."""
        known = spellings()
        for module in graphs(program):
            order = {node: place for place, node in enumerate(module.graph.nodes)}
            for node in list(module.graph.nodes):
                if node.op != "call_function":
                    continue
                if node.target in known:
                    known[node.target](module.graph, node)
                elif (functional := _functional(node.target)) is not None and _is_last_to_read(node, order):
                    node.target = functional


def _functional(target: Any) -> Any:
    """Return the operator that computes what another writes to its input; None where it does no such thing."""
    import torch

    schema = getattr(target, "_schema", None)
    if schema is None or not schema.is_mutable or not schema.name.endswith("_"):
        return None
    if sum(argument.is_write for argument in schema.arguments) != 1 or not schema.arguments[0].is_write:
        return None
    packet = getattr(torch.ops.aten, schema.name.partition("::")[2][:-1], None)
    return getattr(packet, schema.overload_name or "default", None)


def _is_last_to_read(node: Node, order: dict[Node, int]) -> bool:
    """Tell whether the tensor that an operator writes to is read by nobody afterwards, under whatever name."""
    written = cast("Node", node.args[0])
    if written.op != "call_function" or _shares_memory(written):
        return False
    return all(
        reader is node or (order[reader] < order[node] and not _shares_memory(reader)) for reader in written.users
    )


def _shares_memory(node: Node) -> bool:
    """Tell whether a result may lie in the memory of an input."""
    if node.op != "call_function":
        return True
    if node.target is getitem:  # one of several results
        return _shares_memory(node.all_input_nodes[0])
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return True
    return any(result.alias_info is not None for result in schema.returns)


def _decomposed_at_need(program: ExportedProgram) -> ExportedProgram:
    """Return the same program, which decomposes only if one of its operators asks for it."""
    from torch.export import ExportedProgram

    class Program(ExportedProgram):
        def run_decompositions(self, decomp_table: Any = None, **options: Any) -> ExportedProgram:
            if decomp_table is not None and not any(_needs(node, decomp_table) for node in _calls(self)):
                return self
            decomposed: ExportedProgram = super().run_decompositions(decomp_table, **options)
            return decomposed

    return Program(
        root=program.graph_module,
        graph=program.graph,
        graph_signature=program.graph_signature,
        state_dict=program.state_dict,
        range_constraints=program.range_constraints,
        module_call_graph=program.module_call_graph,
        constants=program.constants,
        verifiers=program.verifiers,
    )


def _calls(program: ExportedProgram) -> list[Node]:
    return [node for module in graphs(program) for node in module.graph.nodes if node.op == "call_function"]


def _needs(node: Node, table: Any) -> bool:
    """Tell whether an operator has to be decomposed: it writes to an input, or it has no translation."""
    import torch

    operator = node.target
    if operator in table:
        return True
    if not isinstance(operator, torch._ops.OpOverload):
        return False
    if operator._schema.is_mutable:
        return True
    made_of_others = torch._C._dispatch_has_kernel_for_dispatch_key(operator.name(), "CompositeImplicitAutograd")
    return made_of_others and operator._schema.name not in _TRANSLATED
