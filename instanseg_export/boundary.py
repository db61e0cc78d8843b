"""The one boundary between other people's files and parsers, and our own errors.

Whatever a parser raises on a file (and decoders raise nearly every type) leaves here as an error of ours that names the
file, the place, the fact and the remedy. What a file says reaches messages only as plain, short text.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from .errors import InstansegExportError, OutputError
from .limits import MAX_MESSAGE

__all__ = ["disk_is_full", "first_problem", "parsing", "plain", "regular_file"]


def plain(text: object, limit: int = MAX_MESSAGE) -> str:
    """Return text from a file as one short line that does nothing to a terminal.

    Control characters, among them those that change colours, titles and the direction of writing, become spaces or
    are left out.
    """
    try:
        words = str(text)
    except Exception:  # a library's error can fail at describing itself
        words = type(text).__name__
    words = words[: 4 * limit]
    kept = "".join(char if char.isprintable() else " " for char in words)
    line = " ".join(kept.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def first_problem(error: ValidationError) -> str:
    """Return the first of pydantic's findings as a part of a sentence: where, and what."""
    first = error.errors(include_url=False)[0]
    place = ".".join(plain(part, 40) for part in first["loc"])
    words = plain(first["msg"].removeprefix("Value error, "), 200)
    return f"{place}: {words}" if place else words


def disk_is_full(error: BaseException) -> bool:
    """Tell whether an error, or one that caused it, means that a disk or a quota is full."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


@contextmanager
def parsing(
    path: Path, what: str, error: type[InstansegExportError], *, hint: str = "Copy or download the file again."
) -> Iterator[None]:
    """Turn whatever a parser raises into an error of ours.

    Args:
        path: the file that is read, as the user named it.
        what: the part of it that is read, for the message: "its pickle", "the card", "OME-XML".
        error: the kind of error to raise.
        hint: the remedy.

    Raises:
        InstansegExportError: of kind ``error``; or an :class:`OutputError` where the disk is full. Errors of ours pass
            as they are, and so do interruptions.
    """
    try:
        yield
    except InstansegExportError:
        raise
    except MemoryError as caught:
        raise error(
            f"{path} does not fit into memory: {what} needs more than there is.",
            hint="Close other programs, or use a machine with more memory.",
        ) from caught
    except RecursionError as caught:
        raise error(f"{path} cannot be read: {what} is nested too deeply.", hint=hint) from caught
    except Exception as caught:  # parsers raise nearly every type on a damaged file
        if disk_is_full(caught):
            raise OutputError(
                f"The disk is full: {path} could not be read to its end.",
                hint="Free some space, also in the folder of temporary files (TMPDIR chooses another).",
            ) from caught
        fact = plain(caught).rstrip(". ") or type(caught).__name__
        raise error(f"{path} cannot be read: {what} is damaged ({fact}).", hint=hint) from caught


def regular_file(path: Path, error: type[InstansegExportError]) -> int:
    """Return the size in bytes of what is about to be opened as a file.

    A FIFO would wait for ever, and a device or a socket has no end: only regular files (and links to them) are files.

    Raises:
        InstansegExportError: of kind ``error``: it is missing, may not be looked at, or is no regular file.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as caught:
        raise error(f"There is no file {path}.", hint="Check the spelling and the current folder.") from caught
    except (OSError, ValueError) as caught:
        raise error(
            f"{path} cannot be opened: {plain(caught)}.", hint="Check the path and its permissions."
        ) from caught
    if not stat.S_ISREG(status.st_mode):
        kind = next(
            (
                name
                for check, name in (
                    (stat.S_ISDIR, "a folder"),
                    (stat.S_ISFIFO, "a pipe"),
                    (stat.S_ISSOCK, "a socket"),
                    (stat.S_ISCHR, "a device"),
                    (stat.S_ISBLK, "a device"),
                )
                if check(status.st_mode)
            ),
            "no regular file",
        )
        raise error(f"{path} is {kind}, not a file.", hint="Give a regular file.")
    return status.st_size
