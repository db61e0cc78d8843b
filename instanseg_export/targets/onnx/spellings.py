"""Operators without a translation that are other spellings of some that have one."""

from __future__ import annotations

from collections.abc import Callable
from operator import getitem, mul
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from torch.fx import Graph, Node

__all__ = ["spellings"]


def spellings() -> dict[Any, Callable[[Graph, Node], None]]:
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
        aten.rot90.default: _rotate,
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


def _rotate(graph: Graph, node: Node) -> None:
    """Write a rotation by right angles as a flip and, where rows become columns, a transposition."""
    import torch

    aten = torch.ops.aten
    given = _arguments(node)
    image, (first, second), turns = given["self"], given["dims"], given["k"] % 4
    flipped = {0: [], 1: [second], 2: [first, second], 3: [first]}[turns]
    with graph.inserting_before(node):
        turned = graph.call_function(aten.flip.default, (image, flipped))
    turned.meta["val"] = image.meta["val"].flip(flipped)
    if turns % 2:
        node.target, node.args = aten.transpose.int, (turned, first, second)
    else:
        node.replace_all_uses_with(turned)
        graph.erase_node(node)


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
