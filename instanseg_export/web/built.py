"""The page itself, without a model: built from ``runtimes/web`` by Node, once, unless the wheel brings it along."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import RuntimeUnavailableError
from ..progress import Steps
from ..runtimes.build import build, build_folder, missing_build
from ..runtimes.description import Build, Program
from ..runtimes.probe import missing_program
from ..runtimes.registry import builtin_folder

__all__ = ["built_page", "missing_page"]

_FOLDER, _PAGE = "web", "page"
_NODE = Program(name="node", at_least="20.15")
_RECIPE = Build(
    sources="..",
    files=(
        "_shared/onnx_file.mjs",
        *(f"{_FOLDER}/{name}" for name in ("package.json", "package-lock.json", "build.mjs", "src/**/*")),
    ),
    tools=("node", "npm"),
    commands=(
        # Without install scripts, and without what only checks types.
        ("npm", "ci", "--prefix", _FOLDER, "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"),
        ("node", f"{_FOLDER}/build.mjs"),
    ),
    outcome=(f"{_FOLDER}/{_PAGE}",),
)


@dataclass(frozen=True)
class _Sources:
    """See :class:`..runtimes.build.Buildable`."""

    name: str
    folder: Path
    build: Build


def built_page(steps: Steps) -> Path:
    """Return the folder of the built page; build it if need be, which takes a minute and a network.

    Args:
        steps: told that it is built.

    Raises:
        RuntimeUnavailableError: it is not built, and cannot be built here.
    """
    sources = _sources()
    if not missing_page():
        return _bundled() or build_folder(sources) / _PAGE
    steps.tell("building the web page, once")
    if lacks := missing_program(_NODE) or build(sources):
        raise RuntimeUnavailableError(
            f"The web page is not built yet, and cannot be built here: {lacks}.",
            hint="Install Node 20.15 or newer with npm (and let npm reach its registry), then run this again.",
        )
    return build_folder(sources) / _PAGE


def missing_page() -> str:
    """Return that the page has to be built; empty where it is."""
    return "" if _bundled() else missing_build(_sources())


def _sources() -> _Sources:
    return _Sources("web_page", builtin_folder() / _FOLDER, _RECIPE)


def _bundled() -> Path | None:
    """Return the page that an installed package brought along. In a checkout its sources may have changed since."""
    page = builtin_folder() / _FOLDER / _PAGE
    return page if builtin_folder().parent.name == "_programs" and (page / "index.html").is_file() else None
