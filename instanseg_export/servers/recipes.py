"""What is written for each kind of server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from ..errors import UnknownNameError
from ..registry import closest
from .model_files import ServedFile
from .triton import MODEL_FILE, triton_config

__all__ = ["RECIPES", "check_recipes", "write_recipe"]

_VERSION = "1"
"""Triton loads the highest number among a model's folders."""


def _triton(served: Sequence[ServedFile], folder: Path) -> None:
    """Write a model repository: a folder for each file, with its configuration and one version."""
    for one in served:
        (folder / one.name / _VERSION).mkdir(parents=True)
        (folder / one.name / "config.pbtxt").write_text(triton_config(one), encoding="utf-8")
        shutil.copyfile(one.file, folder / one.name / _VERSION / MODEL_FILE)


def _http(served: Sequence[ServedFile], folder: Path) -> None:
    """Write a program, what it needs, and the first file: the one for any size, where there is one."""
    folder.mkdir(parents=True)
    for name in ("server.py", "requirements.txt"):
        text = files(__package__).joinpath("http", name).read_text(encoding="utf-8")
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copyfile(served[0].file, folder / MODEL_FILE)


RECIPES: Mapping[str, Callable[[Sequence[ServedFile], Path], None]] = MappingProxyType(
    {"triton": _triton, "http": _http}
)
"""What writes the files of each kind of server to a folder, by its name."""


def check_recipes(names: Sequence[str]) -> list[str]:
    """Return the kinds of servers that are asked for, each once.

    Raises:
        UnknownNameError: there is none of a name.
    """
    for name in names:
        if name not in RECIPES:
            guess = closest(name, RECIPES)
            raise UnknownNameError(
                f"There is no recipe for a server called {name!r}.",
                hint=f"{f'Did you mean {guess!r}? ' if guess else ''}There are: {', '.join(RECIPES)}.",
            )
    return list(dict.fromkeys(names))


def write_recipe(name: str, served: Sequence[ServedFile], folder: Path) -> None:
    """Write the files of a kind of server to a folder, which is made."""
    RECIPES[name](served, folder)
