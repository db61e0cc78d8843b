"""Text from cards as Markdown: it reads as it was written, and does nothing else.

The zoo renders GitHub's Markdown, QuPath plain CommonMark in a viewer that would run scripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from .boundary import plain

__all__ = ["cell", "entries", "escape", "link", "without_html"]

_ANYWHERE = re.compile(r"[\\`*\[\]<>&|~$]")
_AT_WORD_EDGES = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_AT_LINE_START = re.compile(r"^([#+=-]|\d+(?=[.)]))")
_TAG = re.compile(r"<(?=[A-Za-z/!?])(?!(?:https?://|mailto:)[^\s<>]*>)")
_LONGEST = 10_000
_IN_ADDRESSES = ":/?#@!$&'*+,;=%~"


def escape(text: object) -> str:
    """Return any text as one line of Markdown that shows it as it is.

    What is not printable, line breaks among it, becomes a space.
    """
    line = cell(text)
    start = _AT_LINE_START.match(line)
    if start is None:
        return line
    mark = start[0]
    return rf"{mark}\{line[len(mark) :]}" if mark.isdigit() else rf"\{line}"


def cell(text: object) -> str:
    """Return any text as the cell of a table, where nothing begins a line, so that numbers stay as they are."""
    line = _ANYWHERE.sub(r"\\\g<0>", plain(text, _LONGEST))
    return _AT_WORD_EDGES.sub(r"\\_", line)


def link(text: object, address: str) -> str:
    """Return a link; nothing in the address can end it early."""
    return f"[{escape(text)}]({quote(address, safe=_IN_ADDRESSES, errors='replace')})"


def entries(rows: Iterable[tuple[str, str]]) -> str:
    """Return pairs of a name and a text, both Markdown, as a list: what stands in place of a table."""
    return "\n".join(f"- **{name}:** {text}" if text else f"- **{name}**" for name, text in rows)


def without_html(text: str) -> str:
    """Return Markdown in which HTML shows as text and is not run."""
    return _TAG.sub("&lt;", text)
