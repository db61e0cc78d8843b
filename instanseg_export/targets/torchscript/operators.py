"""Whether an older libtorch can load a TorchScript file: whether it knows every operator that the file uses.

deepImageJ runs libtorch 2.0.0. What an older library cannot load is not the file's format, it is an operator, an
overload or an argument that came later, even in a branch that is never taken. ``libtorch_2_0_operators.txt`` lists
what 2.0.0 knows, one operator per line as ``namespace::name.overload(argument, argument)``. PyTorch 2.0.0 made it by::

    for schema in torch._C._jit_get_all_schemas():
        overload = f".{schema.overload_name}" if schema.overload_name else ""
        print(f"{schema.name}{overload}({', '.join(argument.name for argument in schema.arguments)})")

sorted, and reduced to the namespaces aten and prim, which are all that a forward may use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["OLDEST_LIBTORCH", "unknown_operators"]

OLDEST_LIBTORCH = "2.0.0"

_LIST = Path(__file__).parent / "libtorch_2_0_operators.txt"


def unknown_operators(module: Any) -> list[str]:
    """Name what the oldest supported libtorch does not know in a TorchScript module.

    Args:
        module: as ``torch.jit.load`` or ``torch.jit.script`` returns it. Nothing in it is executed.

    Returns:
        A sentence's subject for each, with the place of its first use if the module says it: "the operator
        aten::rms_norm (network.py:12)", "the argument scale of aten::scaled_dot_product_attention (...)". Empty if an
        old libtorch can load the module.
    """
    found: dict[str, str] = {}
    for method in module._c._method_names():
        # Inlined, so that functions and submodules are in it, whether or not they are reached.
        for node in _nodes(module._c._get_method(method).inlined_graph):
            for subject in _unknown(node):
                found.setdefault(subject, _place(node))
    return [f"{subject}{place}" for subject, place in sorted(found.items())]


@cache
def _known() -> dict[str, tuple[str, ...]]:
    """Return the names of the arguments of every operator, by ``namespace::name.overload``."""
    operators = {}
    for line in _LIST.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, _, arguments = line.rstrip(")").partition("(")
            operators[name] = tuple(arguments.split(", "))
    return operators


def _nodes(block: Any) -> Iterator[Any]:
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)


def _unknown(node: Any) -> Iterator[str]:
    import torch

    text = node.schema()
    if text == "(no schema)":
        return  # the language itself: constants, branches, loops, lists, attributes
    name = text.partition("(")[0]
    arguments = _known().get(name)
    if arguments is None:
        yield f"the operator {name}"
        return
    # Arguments are added at the end, with a default. A file holds them only where a call gives another value.
    schema: Any = torch._C.parse_schema(text)
    for argument, value in list(zip(schema.arguments, node.inputs(), strict=False))[len(arguments) :]:
        if value.node().kind() != "prim::Constant" or value.toIValue() != argument.default_value:
            yield f"the argument {argument.name} of {name}"


def _place(node: Any) -> str:
    found = re.search(r'([^/\\"]+)", line (\d+)', node.sourceRange())
    return f" ({found[1]}:{found[2]})" if found else ""
