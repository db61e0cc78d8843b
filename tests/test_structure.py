"""The structure of the code: imports lead one way, also inside of functions, and families keep to their folders."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import instanseg_export
from instanseg_export.families.registry import FAMILIES

PACKAGE = Path(instanseg_export.__file__).parent
RUNTIMES = PACKAGE.parent / "runtimes"

OTHER_MEANINGS = re.compile(
    r"instanseg[-_]export(er)?|InstansegExportError|instanseg\.pt\b"  # this product, and the file that QuPath loads
    r"|instanseg\.export\.\w+|instanseg-torch\b"  # the runners in Java, and a package that doctor looks for
    r"|InstanSeg extension|\*Extensions > InstanSeg > Run InstanSeg\*",  # of QuPath, which runs any family's files
    re.IGNORECASE,
)
REGISTRIES = (PACKAGE / "families" / "registry.py", PACKAGE / "training" / "registry.py")

BUILT_ON = {"two_stage": {"instanseg"}}
"""Families whose networks contain one of another family."""

LAYERS = (
    "limits",
    "plain_text",
    "interruption",
    "errors",
    "html_page",
    "untrusted",
    "registry",
    "progress",
    "files",
    "archives",
    "metadata_history",
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
    "servers",
    "inference",
    "slides",
    "web",
    "training",
    "publishing",
    "benchmark",
    "api",
    "model_zoo",
    "cli",
    "testing",
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


def test_only_suites_of_tests_need_pytest() -> None:
    needing = {
        _layer_of(name) for name, path in _modules().items() if "pytest" in {one for _, one in _imported(name, path)}
    }
    assert needing == {"testing"}


def test_no_module_of_the_product_needs_suites_of_tests() -> None:
    """Nor do the two files above all layers."""
    suites = "instanseg_export.testing"
    modules = {name: path for name, path in _modules().items() if not name.startswith(suites)}
    assert not [
        name for name, path in modules.items() if any(one.startswith(suites) for _, one in _imported(name, path))
    ]


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


def _names() -> dict[str, set[str]]:
    """The names by which each family could be told, by its folder."""
    folders: dict[str, set[str]] = {}
    for name in FAMILIES.names():
        folder = FAMILIES.get(name).spec.__module__.split(".")[2]
        folders.setdefault(folder, {folder}).add(name)
    return folders


def _without_prose(text: str) -> str:
    """The code alone: a stage may cite the paper that it follows."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(...)
    return ast.unparse(tree)


def _texts() -> Iterator[tuple[Path, str]]:
    for root in (PACKAGE, RUNTIMES):
        for path in sorted(root.rglob("*")):
            if path.suffix in (".py", ".toml", ".ijm", ".md", ".txt", ".html", ".json", ".yaml"):
                text = path.read_text(encoding="utf-8")
                yield path, _without_prose(text) if path.parent == PACKAGE / "stages" and path.suffix == ".py" else text


@pytest.mark.parametrize("folder", sorted(_names()))
def test_no_family_is_named_outside_of_its_folder(folder: str) -> None:
    """Whoever needs something of a family asks it, so that a new one is its folder and a line in the registry."""
    names = (folder, *(family for family, on in BUILT_ON.items() if folder in on))
    homes = {PACKAGE / part / name for part in ("families", "training") for name in names}
    wanted = re.compile("|".join(sorted(_names()[folder])), re.IGNORECASE)
    seen, found = 0, []
    for path, text in _texts():
        lines = [line for line in text.splitlines() if wanted.search(OTHER_MEANINGS.sub("", line))]
        if path in REGISTRIES or homes.intersection(path.parents):
            seen += len(lines)
        else:
            found += [f"{path.relative_to(PACKAGE.parent)}: {line.strip()}" for line in lines]
    assert seen > 1
    assert not found, "\n".join(found)
