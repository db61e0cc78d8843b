"""Text from files and libraries, made harmless for terminals and logs."""

from __future__ import annotations

import unicodedata

from .limits import MAX_ERROR, MAX_MESSAGE

__all__ = ["controls", "escaped", "plain"]

_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of writing."""

_BREAKS = ("\u2028", "\u2029")


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs") or char in _DIRECTIONS or char in _BREAKS


def controls(text: str, *, allow: str = "") -> str:
    """Return the characters of a text that would do something to a terminal or to the text around them.

    These are control characters (among them those of colours and titles), marks that change the direction of writing,
    breaks of lines and halves of surrogate pairs.

    Args:
        text: to look at.
        allow: characters that are fine here, such as a line feed.
    """
    if text.isprintable():
        return ""
    return "".join(dict.fromkeys(char for char in text if char not in allow and _is_control(char)))


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


def escaped(text: str, limit: int = MAX_ERROR) -> str:
    r"""Return a text as one line in which each control character is written out, as in ``\x1b``.

    Unlike :func:`plain` it keeps all other characters, so that a path can be copied from a message. Breaks of lines and
    tabs become spaces.
    """
    if len(text) > limit:
        text = f"{text[: limit - 1]}…"
    if text.isprintable():
        return text
    return "".join(_written(char) if _is_control(char) else char for char in text)


def _written(char: str) -> str:
    return " " if char in "\n\r\t\u2028\u2029" else char.encode("unicode_escape").decode("ascii")
