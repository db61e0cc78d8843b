"""stdout and stderr that take whatever is written to them: closed ones, and those that know few characters."""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

__all__ = ["steady_streams"]

_READABLE = "instanseg-export.readable"
_SPELLINGS = {
    "\N{MICRO SIGN}": "u",
    "\N{GREEK SMALL LETTER MU}": "u",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MINUS SIGN}": "-",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{RIGHTWARDS ARROW}": "->",
}


def _spell(error: UnicodeError) -> tuple[str, int]:
    """Write what a stream's encoding lacks in letters that it has: "um2" for "µm²"."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = []
    for character in error.object[error.start : error.end]:
        plain = _SPELLINGS.get(character) or unicodedata.normalize("NFKD", character)
        plain = plain.encode("ascii", "ignore").decode()
        text.append(plain or character.encode("ascii", "backslashreplace").decode())
    return "".join(text), error.end


class _Steady:
    """A text stream whose reader may go away: what is written then goes nowhere, and the command ends as it would.

    Args:
        stream: to write to.
        required: whether other failures, such as a full disk, are errors.
    """

    def __init__(self, stream: TextIO, required: bool) -> None:
        self._stream = stream
        self._required = required
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            with suppress(ValueError, OSError):
                reconfigure(errors=_READABLE)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lost(error)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._lost(error)

    def _lost(self, error: OSError) -> None:
        """Send what is still waiting, and all that comes, to nowhere."""
        with suppress(OSError, ValueError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)
        if self._required and not isinstance(error, BrokenPipeError):
            raise OSError(error.errno, error.strerror, "the standard output") from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def steady_streams() -> Iterator[None]:
    """Make stdout and stderr steady for as long as the block runs."""
    _open_descriptors()
    codecs.register_error(_READABLE, _spell)
    before = sys.stdout, sys.stderr
    sys.stdout = _Steady(sys.stdout or _nowhere(), required=True)
    sys.stderr = _Steady(sys.stderr or _nowhere(), required=False)
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def _open_descriptors() -> None:
    """Take the numbers 0, 1 and 2 where they are closed: else the next file would get one, and what is printed too."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")
