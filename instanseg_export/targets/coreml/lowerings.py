"""Translations into MIL, Core ML's intermediate language, of operators that the converter lacks or burdens.

The converter's own gathers and scatters first add the size to negative indices, which the stages never have, and its
Neural Engine's float16 has nothing to do with them: indices are whole numbers of 32 bits here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["lowerings_in_use"]

_MODES = {"amax": "max", "amin": "min"}


@contextmanager
def lowerings_in_use() -> Iterator[None]:
    """Let the converter use what is here within the block, and what it had after it."""
    from coremltools.converters.mil.frontend.torch import torch_op_registry

    known = torch_op_registry._TORCH_OPS_REGISTRY.name_to_func_mapping
    before = dict(known)
    known.update(
        {
            "div": _div(known["div"]),
            "gather": _gather,
            "index_select": _index_select,
            "scatter": _scatter("update"),
            "scatter.src": _scatter("update"),
            "scatter_add": _scatter("add"),
            "scatter_reduce": _scatter_reduce,
            "scatter_reduce.two": _scatter_reduce,
        }
    )
    try:
        yield
    finally:
        known.clear()
        known.update(before)


def _div(of_the_converter: Any) -> Any:
    """Divide float16 by float16 as such: the converter makes both float32, and all that follows."""

    def lower(context: Any, node: Any) -> None:
        from coremltools.converters.mil import Builder
        from coremltools.converters.mil.mil import types

        x, y = _inputs(context, node, 2)
        if len(node.inputs) == 2 and x.dtype == y.dtype == types.fp16:
            context.add(Builder.real_div(x=x, y=y, name=node.name))
        else:
            of_the_converter(context, node)

    return lower


def _whole(index: Any) -> Any:
    from coremltools.converters.mil import Builder
    from coremltools.converters.mil.mil import types

    return index if index.dtype == types.int32 else Builder.cast(x=index, dtype="int32")


def _inputs(context: Any, node: Any, count: int) -> list[Any]:
    from coremltools.converters.mil.frontend.torch.ops import _get_inputs

    return list(_get_inputs(context, node))[:count]


def _axis(dim: Any) -> int:
    return int(getattr(dim, "val", dim))


def _gather(context: Any, node: Any) -> None:
    from coremltools.converters.mil import Builder

    _add_gather(context, node, Builder.gather_along_axis)


def _index_select(context: Any, node: Any) -> None:
    from coremltools.converters.mil import Builder

    _add_gather(context, node, Builder.gather)


def _add_gather(context: Any, node: Any, gather: Any) -> None:
    from coremltools.converters.mil import Builder
    from coremltools.converters.mil.mil import types

    x, dim, index = _inputs(context, node, 3)
    options = {"indices": _whole(index), "axis": _axis(dim), "validate_indices": False}
    if x.dtype == types.bool:  # of truth values there is no gather
        chosen = gather(x=Builder.cast(x=x, dtype="int32"), **options)
        context.add(Builder.cast(x=chosen, dtype="bool", name=node.name))
    else:
        context.add(gather(x=x, name=node.name, **options))


def _scatter(mode: str) -> Any:
    def lower(context: Any, node: Any) -> None:
        _add_scatter(context, node, mode)

    return lower


def _scatter_reduce(context: Any, node: Any) -> None:
    # The mode is a word of the node: as an input it would be taken for the result of the operator of that name.
    _add_scatter(context, node, _MODES[node.inputs[4]])


def _add_scatter(context: Any, node: Any, mode: str) -> None:
    from coremltools.converters.mil import Builder

    data, dim, index, updates = _inputs(context, node, 4)
    context.add(
        Builder.scatter_along_axis(
            data=data,
            indices=_whole(index),
            updates=updates,
            axis=_axis(dim),
            mode=mode,
            validate_indices=False,
            name=node.name,
        )
    )
