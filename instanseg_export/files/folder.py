"""A folder as an output: it appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import InstansegExportError, OutputError
from ..plain_text import escaped
from ..untrusted.boundary import disk_is_full
from .apart import check_apart, real_place
from .claim import Claim, claimed_folder
from .exchange import Piece, put_in_place
from .marker import Seen, recognise, write_marker
from .words import cannot_write, exists_already

__all__ = [
    "STAGING",
    "check_folder",
    "folder_piece",
    "made_folder",
    "staged_folder",
    "staged_part",
    "told_as",
]

STAGING = ".instanseg-export-"
"""How the names of folders for work in progress begin, beside the output."""


@contextmanager
def staged_folder(path: Path, *, kind: str, overwrite: bool = False, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that becomes ``path`` when the block succeeds.

    Whatever happens, at any instruction, ``path`` is either the whole new folder or as it was before. The new folder
    carries a list of its contents, :data:`MARKER`. With ``overwrite``, a folder is replaced only if such a list shows
    that all in it was written by this tool, as the same kind of output, and was not changed since.

    Args:
        path: of the new folder.
        kind: of output, in one word: "package", "report", "benchmark", "pyramid".
        overwrite: replace a folder that this tool wrote.
        inputs: what the output is made from. It must not be one of them, hold one, or lie inside of one.

    Raises:
        OutputError: ``path`` exists and ``overwrite`` is False, or it may not be replaced, has to do with an input,
            cannot be written, or the disk is full. If something appeared at ``path`` while the block ran, it is left
            alone, and the finished folder gets a name beside it, which the message gives.
    """
    inputs = tuple(inputs)
    real = real_place(path)

    seen = check_folder(path, kind=kind, overwrite=overwrite, inputs=inputs)
    with made_folder(real.parent, path) as claim:
        content = claim.work / real.name
        with told_as(path, content):
            content.mkdir()
            yield content
            write_marker(content, kind)
            put_in_place(claim, [folder_piece(content, path, kind, seen, overwrite=overwrite, inputs=inputs)])


def check_folder(path: Path, *, kind: str, overwrite: bool = False, inputs: Iterable[Path] = ()) -> Seen | None:
    """Return what is at the place of a folder that is to be written; None if it is free.

    Its arguments are those of :func:`staged_folder`.

    Raises:
        OutputError: it has to do with an input, or something is there that may not be replaced.
    """
    try:
        return _look(path, kind, overwrite, inputs)
    except OSError as error:
        raise cannot_write(error, path) from error


def folder_piece(
    content: Path, path: Path, kind: str, seen: Seen | None, *, overwrite: bool, inputs: Iterable[Path]
) -> Piece:
    """Return a finished folder as :func:`.exchange.put_in_place` takes it.

    Args:
        content: the folder, with its list of contents.
        path: where it goes.
        kind: as for :func:`staged_folder`.
        seen: what :func:`check_folder` gave when the work began.
        overwrite: as for :func:`staged_folder`.
        inputs: as for :func:`staged_folder`.
    """
    given = tuple(inputs)

    def still(taken: Path, seen: Seen) -> bool:
        try:
            return recognise(taken, kind, path) == seen
        except OutputError:
            return False

    return Piece(content, real_place(path), path, kind, seen, lambda: _look(path, kind, overwrite, given), still)


def _look(path: Path, kind: str, overwrite: bool, inputs: Iterable[Path]) -> Seen | None:
    real = real_place(path)
    check_apart(path, inputs)
    if not os.path.lexists(real):
        return None
    if not overwrite:
        raise exists_already(path)
    return recognise(real, kind, path)


@contextmanager
def staged_part(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that becomes ``path`` when the block succeeds, for a part of an output.

    As :func:`staged_folder`, but it carries no list of contents, which the whole output does, and so is never replaced.

    Raises:
        OutputError: something is at ``path``, or it cannot be written.
    """
    real = real_place(path)

    def look() -> None:
        if os.path.lexists(real):
            raise exists_already(path)

    look()
    with made_folder(real.parent, path) as claim:
        content = claim.work / real.name
        with told_as(path, content):
            content.mkdir()
            yield content
            put_in_place(claim, [Piece(content, real, path, "", None, look, lambda taken, seen: False)])


@contextmanager
def made_folder(parent: Path, shown: Path) -> Iterator[Claim]:
    """Yield a place to work in a folder, which is made if it is not there, and is not left behind if nothing comes."""
    missing: list[Path] = []
    try:
        try:
            missing += [folder for folder in (parent, *parent.parents) if not folder.exists()]
            if os.path.lexists(parent):
                parent.stat()  # says more of a link that leads nowhere than the next line would
            for folder in reversed(missing):
                folder.mkdir(exist_ok=True)
            parent.mkdir(exist_ok=True)  # says so where it is a file
            claims = claimed_folder(parent, STAGING)
            claim = claims.__enter__()
        except OSError as error:
            raise cannot_write(error, shown) from error
        try:
            yield claim
        except BaseException as error:
            if not claims.__exit__(type(error), error, error.__traceback__):
                raise
        else:
            claims.__exit__(None, None, None)
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()  # only if it is empty
        raise


@contextmanager
def told_as(shown: Path, *hidden: Path) -> Iterator[None]:
    """Say in errors where an output was to be, in place of the temporary folder in which it is made."""
    try:
        yield
    except InstansegExportError as error:
        if disk_is_full(error) and not isinstance(error, OutputError):
            raise cannot_write(error, shown) from error
        for place in hidden:
            error.message = error.message.replace(escaped(str(place)), escaped(str(shown)))
        error.args = (error.message,)
        raise
    except OSError as error:
        raise cannot_write(error, shown) from error
    except Exception as error:
        if disk_is_full(error):
            raise cannot_write(error, shown) from error
        raise
