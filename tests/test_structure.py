"""The structure of the code: imports lead one way, also those inside of functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import instanseg_export

PACKAGE = Path(instanseg_export.__file__).parent


def _modules() -> dict[str, Path]:
    """The package's files by their dotted names, without the faces of folders, which only hand names on."""
    files = (path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    return {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in files}


def _imported(name: str, path: Path) -> Iterator[str]:
    """What a module may import; ``from .folder import name`` can mean a module or something in one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            parent = ".".join(name.split(".")[: -node.level]) if node.level else ""
            source = ".".join(part for part in (parent, node.module) if part)
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_module_needs_itself() -> None:
    modules = _modules()
    needs = {name: {other for other in _imported(name, path) if other in modules} for name, path in modules.items()}
    order = list(TopologicalSorter(needs).static_order())  # raises CycleError, which names the circle
    assert order.index("instanseg_export.errors") < order.index("instanseg_export.api.export")
