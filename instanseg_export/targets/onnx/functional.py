"""Operators that write to their input, and those without a translation, become ones that the exporter knows."""

from __future__ import annotations

from collections.abc import Callable
from operator import getitem, mul
from typing import TYPE_CHECKING, Any, cast

from ..program import ProgramPass, changeable, graphs

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Graph, Node

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
        spellings = _spellings()
        for module in graphs(program):
            order = {node: place for place, node in enumerate(module.graph.nodes)}
            for node in list(module.graph.nodes):
                if node.op != "call_function":
                    continue
                if node.target in spellings:
                    spellings[node.target](module.graph, node)
                elif (functional := _functional(node.target)) is not None and _is_last_to_read(node, order):
                    node.target = functional


def _spellings() -> dict[Any, Callable[[Graph, Node], None]]:
    """Return, for each operator that has no translation but is another spelling, how it is replaced."""
    import torch

    aten = torch.ops.aten

    def renamed(target: Any) -> Callable[[Graph, Node], None]:
        def rename(graph: Graph, node: Node) -> None:
            node.target = target

        return rename

    def cast(graph: Graph, node: Node) -> None:
        kind = node.meta["val"].dtype
        if _arguments(node)["copy"]:
            return  # somebody will write to it
        if kind == node.all_input_nodes[0].meta["val"].dtype:
            _drop(graph, node)
        else:
            node.target, node.args, node.kwargs = aten._to_copy.default, (node.args[0],), {"dtype": kind}

    def turned(graph: Graph, node: Node) -> None:
        if len(node.args) == 2 and not node.kwargs:
            node.target, node.args = aten.sub.Tensor, (node.args[1], node.args[0])

    return {
        aten.__or__.Tensor: renamed(aten.bitwise_or.Tensor),
        aten.__and__.Tensor: renamed(aten.bitwise_and.Tensor),
        aten.item.default: renamed(aten._local_scalar_dense.default),
        aten.to.dtype: cast,
        aten.to.device: cast,
        aten.to.dtype_layout: cast,
        aten.rsub.Scalar: turned,
        aten.detach_.default: _drop,
        aten.flatten.using_ints: _flatten,
        aten.batch_norm.default: _normalise,
        aten.adaptive_avg_pool2d.default: _average,
        aten.argsort.default: _sort,
        aten.conv_transpose2d.input: _convolve,
        aten.conv_transpose3d.input: _convolve,
    }


def _drop(graph: Graph, node: Node) -> None:
    node.replace_all_uses_with(node.all_input_nodes[0])
    graph.erase_node(node)


def _flatten(graph: Graph, node: Node) -> None:
    """Write the sizes out; where one tensor is flattened twice, the optimiser's own rule loses one of them."""
    import torch

    source = node.all_input_nodes[0]
    before, after = source.meta["val"].shape, node.meta["val"].shape
    start = node.args[1] if len(node.args) > 1 else 0
    assert isinstance(start, int)
    start %= max(len(before), 1)
    end = start + len(before) - len(after) + 1
    if len(before) == 0:
        return
    with graph.inserting_before(node):
        sizes: list[Any] = []
        for axis, size in enumerate(before):
            if isinstance(size, torch.SymInt):
                value, size = size, graph.call_function(torch.ops.aten.sym_size.int, (source, axis))
                size.meta["val"] = value
            sizes.append(size)
        merged = sizes[start]
        for size in sizes[start + 1 : end]:
            value = _value(merged) * _value(size)
            merged = graph.call_function(mul, (merged, size))
            merged.meta["val"] = value
    node.target, node.args = torch.ops.aten.reshape.default, (source, [*sizes[:start], merged, *sizes[end:]])


def _normalise(graph: Graph, node: Node) -> None:
    import torch

    given = _arguments(node)
    if given["training"]:
        return
    names = ("input", "weight", "bias", "running_mean", "running_var", "momentum", "eps")
    value = node.meta["val"]
    empty = value.new_empty([0])
    operator = torch.ops.aten._native_batch_norm_legit_no_training.default
    _take(graph, node, 0, operator, tuple(given[name] for name in names), (value, empty, empty))


def _average(graph: Graph, node: Node) -> None:
    """Write a mean over the whole image as one, which it is to PyTorch too."""
    import torch

    given = _arguments(node)
    if list(given["output_size"]) == [1, 1]:
        node.target, node.args, node.kwargs = torch.ops.aten.mean.dim, (given["self"], [-1, -2], True), {}


def _sort(graph: Graph, node: Node) -> None:
    import torch

    given = _arguments(node)
    values = given["self"].meta["val"], node.meta["val"]
    _take(graph, node, 1, torch.ops.aten.sort.default, (given["self"], given["dim"], given["descending"]), values)


def _convolve(graph: Graph, node: Node) -> None:
    import torch

    given = _arguments(node)
    axes = node.meta["val"].dim() - 2
    lists = {
        name: [given[name]] * axes if isinstance(given[name], int) else list(given[name]) * (axes // len(given[name]))
        for name in ("stride", "padding", "dilation", "output_padding")
    }
    node.target = torch.ops.aten.convolution.default
    node.args = (
        *(given[name] for name in ("input", "weight", "bias")),
        *(lists[name] for name in ("stride", "padding", "dilation")),
        True,
        lists["output_padding"],
        given["groups"],
    )
    node.kwargs = {}


def _arguments(node: Node) -> dict[str, Any]:
    """Return the arguments of a call by their names, with those that are left out."""
    schema = cast(Any, node.target)._schema
    given = {argument.name: argument.default_value for argument in schema.arguments if argument.has_default_value()}
    names = (argument.name for argument in schema.arguments)
    return given | dict(zip(names, node.args, strict=False)) | dict(node.kwargs)


def _take(graph: Graph, node: Node, place: int, operator: Any, arguments: tuple[Any, ...], values: Any) -> None:
    """Make a node one of the results of another operator."""
    with graph.inserting_before(node):
        results = graph.call_function(operator, arguments)
    results.meta.update(node.meta, val=values)
    node.target, node.args, node.kwargs = getitem, (results, place), {}


def _value(size: Any) -> Any:
    return size.meta["val"] if hasattr(size, "meta") else size


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
