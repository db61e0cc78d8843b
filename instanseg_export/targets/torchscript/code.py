"""What the code in a TorchScript file may do, read from its text: nothing of the file is loaded or executed.

TorchScript has operators that read and write files (``torch.save``, ``torch.from_file``), and objects of libtorch's own
classes. A file whose code names none but the operators of ``plain_operators.txt``, and what the file itself defines,
can only compute. That is a statement about the operators, not about who wrote the file, and holds for whatever the file
says of itself. Code is TorchScript's own dialect of Python, whose text Python can parse.
"""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ...errors import PackageError
from ...untrusted.boundary import parsing, plain
from ..archive import ambiguities

__all__ = ["plain_operators", "suspicious"]

_PLAIN = Path(__file__).parent / "plain_operators.txt"
_BUILTINS = frozenset(
    {"annotate", "unchecked_cast", "uninitialized", "getattr", "isinstance", "bool", "float", "int", "str"}
    | {"list", "tuple", "dict", "len", "range", "enumerate", "zip", "sorted", "min", "max", "abs", "round"}
    | {"inf", "nan", "infj", "nanj", "CONSTANTS", "__annotations__"}
)
_TYPES = frozenset(
    {"Tensor", "Optional", "List", "Dict", "Tuple", "Device", "NoneType", "Module", "NamedTuple", "number", "Any"}
    | {"Union", "Final", "complex"}
)
_TOUCH_FILES = frozenset({"from_file", "save"})
"""The operators of the namespace aten that read or write files: all that libtorch 2.0 to 2.15 has. Every value has its
operators as methods too, so that a file may not name them even for something that it defines itself."""

_OF_VALUES = frozenset({"shape", "dtype", "device", "is_cuda", "ndim", "T", "requires_grad"})
_LARGEST_CODE = 64_000_000
_LARGEST_PICKLE = 256_000_000


def suspicious(path: Path) -> list[str]:
    """Name what a TorchScript file contains beyond computing.

    Args:
        path: of the file.

    Returns:
        Phrases, as in "the operator from_file"; empty if the file can only compute.

    Raises:
        PackageError: it is no TorchScript file, or is damaged.
    """
    with parsing(path, "its code", PackageError, hint="Export the checkpoint again, or get the file again."):
        return list(dict.fromkeys(_suspicious(path)))


def _suspicious(path: Path) -> Iterator[str]:
    yield from ambiguities(path)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        code = []
        for member in members:
            name = member.filename
            largest = _LARGEST_CODE if name.endswith(".py") else _LARGEST_PICKLE
            if name.endswith((".py", ".pkl")) and member.file_size > largest:
                yield f"{plain(name, 80)} of {member.file_size:,} bytes"
            elif name.endswith(".pkl") and b"torch.classes" in archive.read(member):
                yield "an object of one of libtorch's own classes"
            elif name.endswith("model.json") or ("/code/" in name and not name.endswith((".py", ".debug_pkl"))):
                yield f"{plain(name, 80)}, which is not part of today's files"
            elif name.endswith(".py"):
                code.append(ast.parse(archive.read(member)))
        if not code:
            yield "no code"
    yield from _beyond_computing(code)


@cache
def plain_operators() -> frozenset[str]:
    """Return the names of the operators that compute and do nothing else."""
    lines = _PLAIN.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _beyond_computing(code: list[ast.Module]) -> Iterator[str]:
    computing = plain_operators()
    defined = {name for tree in code for name in _defined(tree)}
    variables = {name for tree in code for name in _variables(tree)}
    for tree in code:
        chains: dict[int, list[str]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                root, names = _chain(node)
                if root is not None:
                    chains[id(root)] = max(names, chains.get(id(root), []), key=len)
                if root is None or root.id not in ("torch", "ops", "__torch__", "CONSTANTS"):
                    yield from _member(node.attr, defined)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                yield "an import"
            elif isinstance(node, ast.Call):
                yield from _call(node, defined)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                yield from _name(node.id, chains.get(id(node)), computing, variables | defined)


def _defined(tree: ast.Module) -> Iterator[str]:
    """Yield the names of functions, classes and members that a piece of code defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign):
            if isinstance(node.target, ast.Name):
                yield node.target.id
        elif isinstance(node, ast.Assign):
            for target in node.targets:  # __annotations__["0"] = ...
                if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                    yield str(target.slice.value)


def _variables(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def _chain(node: ast.Attribute) -> tuple[ast.Name | None, list[str]]:
    """Return the name at the root of ``a.b.c``, and the names after it."""
    names: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        names.insert(0, inner.attr)
        inner = inner.value
    return (inner if isinstance(inner, ast.Name) else None), names


def _member(name: str, defined: set[str]) -> Iterator[str]:
    """A member of a value: of an object that the file defines, or an operator, which every value has as a method."""
    if name in _TOUCH_FILES:
        yield f"the operator {plain(name, 60)}"
    elif name not in defined and name not in _OF_VALUES and name not in plain_operators():
        yield f"the member {plain(name, 60)}, which it does not define"


def _call(node: ast.Call, defined: set[str]) -> Iterator[str]:
    if not isinstance(node.func, ast.Name | ast.Attribute):
        yield "a call of what another call returns"
    elif isinstance(node.func, ast.Name) and node.func.id == "getattr":
        name = node.args[1] if len(node.args) > 1 else None
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
            yield "a member whose name is computed"
        elif name.value in _TOUCH_FILES or name.value not in defined:
            yield f"the member {plain(name.value, 60)}"


def _name(name: str, members: list[str] | None, computing: frozenset[str], own: set[str]) -> Iterator[str]:
    if name == "torch":
        if not members or len(members) > 1 or members[0] not in computing:
            yield f"the operator {plain('.'.join(members or ['torch']), 60)}"
    elif name == "ops":
        if not members or ".".join(members) not in computing:
            yield f"the operator {plain('.'.join(members or ['ops']), 60)}"
    elif name == "__torch__":
        if members and "classes" in members:
            yield "an object of one of libtorch's own classes"
    elif name not in own and name not in _BUILTINS and name not in _TYPES:
        yield f"the function {plain(name, 60)}"
