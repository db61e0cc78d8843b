"""An output never is, holds or lies inside of what it is made from, nor lies inside of another output of this tool."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import OutputError
from .marker import kind_of_folder

__all__ = ["check_apart", "check_name", "real_place"]

_HINT = "Choose another --output, beside it."


def check_name(path: Path) -> None:
    """Refuse what is no name for a file on any system.

    Raises:
        OutputError: it holds a zero byte.
    """
    if "\0" in str(path):
        raise OutputError(f"{path} holds a zero byte, which names of files cannot.", hint="Choose another --output.")


def real_place(path: Path) -> Path:
    """Return where an output will be: without links and dots in what leads there, but with its own name.

    Raises:
        OutputError: no file can have that name.
    """
    check_name(path)
    if path.name in ("", ".", ".."):
        return Path(os.path.realpath(path))
    return Path(os.path.realpath(path.parent)) / path.name


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file or folder from all others, whatever it is called: links are followed."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _line(path: Path) -> Iterator[Path]:
    """Yield a path with its links resolved, and all folders above it."""
    real = Path(os.path.realpath(path))
    yield real
    yield from real.parents


def check_apart(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output that has to do with an input.

    Files are told by what the file system knows of them, not by their names: links, hard links and other spellings of
    upper and lower case are the same file.

    Args:
        output: a file or folder; it need not exist.
        inputs: files and folders that are read. Those that do not exist are passed over.

    Raises:
        OutputError: the output is an input, holds one or lies inside of one; or it lies inside of a folder that this
            tool wrote, which would no longer be what was written.
    """
    above = {_identity(path) for path in _line(output)} - {None}
    own = _identity(output)
    for given in inputs:
        identity = _identity(given)
        if identity is None:
            continue
        if identity == own:
            raise OutputError(f"The output {output} is the input {given}.", hint="Choose another --output.")
        if identity in above:
            raise OutputError(f"The output {output} would lie inside of the input {given}.", hint=_HINT)
        if own is not None and own in {_identity(path) for path in _line(given)}:
            raise OutputError(f"The output {output} holds the input {given}.", hint=_HINT)
    for folder in list(_line(output))[1:]:
        kind = kind_of_folder(folder)
        if kind:
            raise OutputError(f"The output {output} would lie inside of {folder}, a {kind} of this tool.", hint=_HINT)
