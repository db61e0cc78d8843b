"""The one boundary between other people's files and parsers, and our own errors.

Whatever a parser raises on a file (and decoders raise nearly every type) leaves here as an error of ours that names the
file, the place, the fact and the remedy. What a file says reaches messages only as plain, short text.
"""

from __future__ import annotations

import errno
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InstansegExportError, OutputError, SettingError
from ..plain_text import plain

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = [
    "LIMITS_VARIABLE",
    "allowed",
    "disk_is_full",
    "enough_memory",
    "first_problem",
    "out_of_memory",
    "parsing",
    "plain",
    "present",
    "read_limited",
    "regular_file",
    "says_disk_is_full",
]

LIMITS_VARIABLE = "INSTANSEG_EXPORT_LIMITS"
"""Of the environment: the limits of texts, pickles and archives are multiplied by this number."""

_FULL = re.compile(
    r"no space left on device|disk quota exceeded|not enough space on the disk|\d+ requested and \d+ written",
    re.IGNORECASE,
)


_NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "failed to map segment",  # of a library that is being loaded
    "cannot allocate memory",
    "Cannot allocate memory",
    "alloc failed",  # protobuf
    "can't start new thread",
)


def first_problem(error: ValidationError, limit: int = 200) -> str:
    """Return the first of pydantic's findings as a part of a sentence: where, and what, in ``limit`` characters."""
    first = error.errors(include_url=False)[0]
    place = ".".join(plain(part, 40) for part in first["loc"])
    words = plain(first["msg"].removeprefix("Value error, "), limit)
    return f"{place}: {words}" if place else words


def disk_is_full(error: BaseException) -> bool:
    """Tell whether an error, or one that caused it, means that a disk or a quota is full."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        # NumPy and libraries in C++ give no number, but words.
        if isinstance(seen, OSError | RuntimeError) and says_disk_is_full(str(seen)):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def says_disk_is_full(text: str) -> bool:
    """Tell whether a library, or another program, complains of a full disk or quota."""
    return _FULL.search(text) is not None


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error, or one that caused it, means that there is not enough memory.

    That is Python's own error, PyTorch's, the system's, and those of libraries that find no room to be loaded.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError) or (isinstance(seen, OSError) and seen.errno == errno.ENOMEM):
            return True
        if isinstance(seen, RuntimeError | ImportError | OSError) or type(seen).__name__ == "DecodeError":
            words = str(seen)[:2000]
            if any(part in words for part in _NO_MEMORY):
                return True
        seen = seen.__cause__ or seen.__context__
    return False


def _too_large(path: Path, what: str, error: type[InstansegExportError]) -> InstansegExportError:
    return error(
        f"{path} does not fit into memory: {what} needs more than there is.",
        hint="Close other programs, or use a machine with more memory.",
    )


def _loading(error: BaseException) -> bool:
    return isinstance(error, ImportError) or "shared object" in str(error)[:2000]


def _no_libraries(path: Path, error: type[InstansegExportError]) -> InstansegExportError:
    return error(
        f"{path} cannot be read: there is not enough memory to load the libraries for that.",
        hint="Close other programs, or raise the limit on memory (ulimit -v).",
    )


@contextmanager
def enough_memory(path: Path, what: str, error: type[InstansegExportError]) -> Iterator[None]:
    """Turn a lack of memory into an error of ours, and nothing else: for work on what was read of a file.

    Raises:
        InstansegExportError: of kind ``error``: there is not enough memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError, ImportError) as caught:
        if out_of_memory(caught):
            raise _too_large(path, what, error) from caught
        raise


def allowed(limit: int) -> int:
    """Return a limit of :mod:`.limits`, multiplied by what the user allows in ``INSTANSEG_EXPORT_LIMITS``.

    Raises:
        SettingError: the variable is no number from 1 to 1000.
    """
    text = os.environ.get(LIMITS_VARIABLE, "").strip()
    if not text:
        return limit
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 1 <= factor <= 1000:
        raise SettingError(
            f"The environment variable {LIMITS_VARIABLE} is {plain(text, 40)!r}, not a factor.",
            hint="Set it to a number from 1 to 1000, as in 4, or unset it.",
        )
    return int(limit * factor)


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
    except RecursionError as caught:
        raise error(f"{path} cannot be read: {what} is nested too deeply.", hint=hint) from caught
    except Exception as caught:  # parsers raise nearly every type on a damaged file
        if out_of_memory(caught):
            raise (_no_libraries(path, error) if _loading(caught) else _too_large(path, what, error)) from caught
        if isinstance(caught, ImportError):
            raise  # that is no fault of the file's
        if disk_is_full(caught):
            raise OutputError(
                f"The disk is full: {path} could not be read to its end.",
                hint="Free some space, also in the folder of temporary files (TMPDIR chooses another).",
            ) from caught
        if isinstance(caught, PermissionError):
            raise error(f"{path} may not be read.", hint="Check its permissions.") from caught
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


def present(path: Path, error: type[InstansegExportError]) -> bool:
    """Tell whether a file that need not be there is there.

    Raises:
        InstansegExportError: of kind ``error``: something is there, and it is no regular file, or leads nowhere.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        pass  # regular_file says what is wrong
    regular_file(path, error)
    return True


def read_limited(path: Path, limit: int, what: str, error: type[InstansegExportError], *, hint: str) -> bytes:
    """Return the bytes of a regular file that may have at most ``limit`` of them.

    Args:
        path: of the file.
        limit: see :mod:`.limits`; :func:`allowed` is applied.
        what: the file should be, for messages, as in "a card".
        error: the kind of error to raise.
        hint: the remedy where it is too large.

    Raises:
        InstansegExportError: of kind ``error``: it is missing, no regular file, larger, or cannot be read.
    """
    size, most = regular_file(path, error), allowed(limit)
    if size <= most:
        try:
            with path.open("rb") as stream:
                content = stream.read(most + 1)  # files of /proc have no size before they are read
        except OSError as caught:
            raise error(
                f"{path} cannot be read: {plain(caught.strerror or caught)}.", hint="Check its permissions."
            ) from caught
        if len(content) <= most:
            return content
    raise error(f"{path} has {max(size, most + 1):,} bytes, too many for {what}.", hint=hint)
