"""Text from others: limited in bytes, in UTF-8, or refused in words."""

from __future__ import annotations

import codecs
from pathlib import Path

from ..errors import InstansegExportError
from ..limits import MAX_TEXT_BYTES
from .boundary import allowed, read_limited

__all__ = ["AGAIN", "limited_text", "read_text", "unpaired"]

AGAIN = "Copy or download the file again."


def read_text(
    path: Path, what: str, error: type[InstansegExportError], *, hint: str = AGAIN, limit: int = MAX_TEXT_BYTES
) -> str:
    """Return the text of a regular file, which is in UTF-8; a byte order mark is dropped.

    Args:
        path: of the file, as the user named it.
        what: it should be, for messages, as in "a card".
        error: the kind of error to raise.
        hint: the remedy where it is too large.
        limit: bytes; see :mod:`.limits`.

    Raises:
        InstansegExportError: of kind ``error``: it is missing, no regular file, too large, or no text in UTF-8.
    """
    return _decoded(read_limited(path, limit, what, error, hint=hint), path, error)


def _decoded(content: bytes, path: Path, error: type[InstansegExportError]) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as caught:
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        fact = (
            "text in UTF-16" if wide else f"not text in UTF-8 (byte {caught.start:,} is {content[caught.start]:#04x})"
        )
        raise error(f"{path} is {fact}.", hint="Save the file as text in UTF-8.") from caught
    if "\0" in text:
        raise error(f"{path} is not text in UTF-8: it holds zero bytes.", hint="Save the file as text in UTF-8.")
    return text


def unpaired(text: str) -> bool:
    """Tell whether a text has half of a surrogate pair, which no file can hold."""
    return any("\ud800" <= char <= "\udfff" for char in text)


def limited_text(
    text: str | bytes, path: Path, what: str, error: type[InstansegExportError], *, hint: str, limit: int
) -> str:
    """Return a text that stands in the file ``path``, or its bytes in UTF-8, as text; see :func:`read_text`."""
    if len(text) > allowed(limit):
        raise error(f"{path} has {len(text):,} bytes in {what}, too many.", hint=hint)
    return _decoded(text, path, error) if isinstance(text, bytes) else text
