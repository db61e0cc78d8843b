"""The structure of the code: imports lead one way, also those inside of functions and those for types alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import instanseg_export

PACKAGE = Path(instanseg_export.__file__).parent

LAYERS = (
    "limits",
    "plain_text",
    "errors",
    "untrusted",
    "registry",
    "files",
    "archives",
    "metadata",
    "images",
    "stages",
    "layers",
    "families",
    "checkpoints",
    "targets",
    "runtimes",
    "exported_model",
    "evaluation",
    "parity",
    "packaging",
    "inference",
    "benchmark",
    "api",
    "cli",
)
"""Files and folders of the package, each of which may import only from those above it here. Above all of them stand
``__init__.py``, which hands on the public names, and ``__main__.py``."""


def _modules() -> dict[str, Path]:
    """The package's files by their dotted names; a folder's ``__init__.py`` has that of the folder and ``__init__``."""
    return {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}


def _imported(name: str, path: Path) -> Iterator[tuple[int, str]]:
    """Lines and what they may import; ``from .folder import name`` can mean a module or something in one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            parent = ".".join(name.split(".")[: -node.level]) if node.level else ""
            source = ".".join(part for part in (parent, node.module) if part)
            yield node.lineno, source
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)


def _layer_of(name: str) -> str:
    """The part of a dotted name below the package; empty for what lies elsewhere."""
    package, _, rest = name.partition(".")
    return rest.partition(".")[0] if package == PACKAGE.name else ""


def test_each_folder_imports_from_those_below_it_only() -> None:
    rank = {layer: place for place, layer in enumerate(LAYERS)}
    wrong = set()
    for name, path in _modules().items():
        here = _layer_of(name)
        if here in ("__init__", "__main__"):
            continue
        for line, imported in _imported(name, path):
            there = _layer_of(imported)
            if there in rank and rank[there] > rank[here]:
                wrong.add(f"{path.relative_to(PACKAGE)}:{line} imports {there}")
    assert sorted(wrong) == []


def test_each_folder_has_its_place_among_the_layers() -> None:
    found = {_layer_of(name) for name in _modules()} - {"__init__", "__main__"}
    assert found == set(LAYERS)
    assert len(LAYERS) == len(found)


def test_no_module_needs_itself() -> None:
    """But for the faces of folders, which only hand names on."""
    modules = {name: path for name, path in _modules().items() if path.name != "__init__.py"}
    needs = {name: {one for _, one in _imported(name, path) if one in modules} for name, path in modules.items()}
    order = list(TopologicalSorter(needs).static_order())  # raises CycleError, which names the circle
    assert order.index("instanseg_export.errors") < order.index("instanseg_export.api.export")
