"""Which runtimes there are. To list them, only their descriptions are read: no program is started.

A runtime is a folder with a ``runtime.toml`` and the program that it names. Ours lie in ``runtimes/``; a third party
adds one by an entry point in the group ``instanseg_export.runtimes`` whose value is the folder's path, or names the
folder itself wherever a runtime's name is asked for.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from ..errors import PackageError, UnknownNameError
from ..limits import MAX_TOML_BYTES
from ..registry import closest, members_of_others
from ..untrusted.boundary import first_problem, parsing, plain
from ..untrusted.texts import read_text
from .description import Artefact, Description, Install, Runtime

__all__ = ["ENTRY_POINTS", "builtin_folder", "find_runtime", "list_runtimes", "read_runtime"]

ENTRY_POINTS = "instanseg_export.runtimes"
_FILE = "runtime.toml"


def builtin_folder() -> Path:
    """Return the folder of our own runtimes: in an installed package, or in a source checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_programs" / "runtimes"
    return installed if installed.is_dir() else package.parent / "runtimes"


def list_runtimes() -> list[Runtime]:
    """Return every runtime in the order of their ranks, of equal ones ours first.

    A third party's runtime that cannot be read has a ``defect``, which a probe gives as the reason.
    """
    runtimes = [read_runtime(path.parent) for path in sorted(builtin_folder().glob(f"*/{_FILE}"))]
    for point in members_of_others(ENTRY_POINTS):
        try:
            runtimes.append(read_runtime(Path(point.load())))
        except Exception as error:  # whatever a third party's package does, the others still work
            runtimes.append(_broken(point.name, point.value, error))
    return sorted(runtimes, key=lambda runtime: runtime.rank)


def find_runtime(name: str) -> Runtime:
    """Return the runtime of that name, or the one that lies in the folder of that path.

    Raises:
        UnknownNameError: there is none; the hint suggests the closest name.
        PackageError: the folder's runtime.toml is malformed.
    """
    if (Path(name) / _FILE).is_file():
        return read_runtime(Path(name))
    runtimes = {runtime.name: runtime for runtime in list_runtimes()}
    if name in runtimes:
        return runtimes[name]
    guess = closest(name, runtimes)
    suggestion = f"Did you mean {guess!r}? " if guess else ""
    raise UnknownNameError(
        f"There is no runtime called {name!r}.",
        hint=f"{suggestion}Known are: {', '.join(runtimes)}, and any folder with a {_FILE}.",
    )


def read_runtime(folder: Path) -> Runtime:
    """Read a runtime's description.

    Raises:
        PackageError: there is no runtime.toml, or it is malformed.
    """
    path = folder.resolve() / _FILE
    hint = "A runtime is a folder with a runtime.toml; docs/adding-a-member.md has a table of its fields."
    text = read_text(path, "the description of a runtime", PackageError, hint=hint, limit=MAX_TOML_BYTES)
    with parsing(path, "its TOML", PackageError, hint=hint):
        content = tomllib.loads(text)
    try:
        description = Description.model_validate(content)
    except ValidationError as error:
        raise PackageError(f"{path} is malformed at {first_problem(error, 400)}.", hint=hint) from error
    return Runtime(**dict(description), folder=path.parent)


def _broken(name: str, value: str, error: Exception) -> Runtime:
    return Runtime(
        name="".join(letter if letter.isalnum() or letter in "_.-" else "-" for letter in name),
        title=name,
        description=f"Added by the entry point {value}.",
        program=("none",),
        artefact=Artefact(target="unknown", filename="unknown"),
        install=Install(hint="Update or remove the package that adds it."),
        folder=Path(),
        defect=f"it cannot be read: {plain(error)}",
    )
