"""JSON from others: limited in bytes, depth and values before anything is built of it.

What comes back is plain data: dicts whose keys are text, lists, text, numbers, booleans and None.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from ..errors import InstansegExportError
from ..limits import MAX_NUMBER_DIGITS, MAX_TEXT_BYTES, MAX_TEXT_DEPTH, MAX_TEXT_NODES
from .boundary import allowed, parsing, plain
from .texts import AGAIN, limited_text, read_text

__all__ = ["load_json", "load_json_text"]


class _MalformedError(ValueError):
    """What is wrong with a text, in words for the user."""


_JSON_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[\[\]{},]', re.DOTALL)
"""Strings, also one that nothing closes, and what opens, closes and separates values."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def load_json(
    path: Path,
    what: str,
    error: type[InstansegExportError],
    *,
    hint: str = AGAIN,
    finite: bool = True,
    limit: int = MAX_TEXT_BYTES,
) -> Any:
    """Return what a JSON file holds.

    Args:
        path: of the file, as the user named it.
        what: it should be, for messages, as in "a recipe".
        error: the kind of error to raise.
        hint: the remedy.
        finite: refuse NaN, Infinity and numbers that are too large, such as 1e999.
        limit: bytes; see :mod:`.limits`.

    Raises:
        InstansegExportError: of kind ``error``: it cannot be read, is too large, is nested too deeply, gives a key
            twice, or is no JSON.
    """
    text = read_text(path, what, error, hint=hint, limit=limit)
    return load_json_text(text, path, what, error, hint=hint, finite=finite, limit=limit)


def load_json_text(
    text: str | bytes,
    path: Path,
    what: str,
    error: type[InstansegExportError],
    *,
    hint: str = AGAIN,
    finite: bool = True,
    limit: int = MAX_TEXT_BYTES,
) -> Any:
    """Return what a JSON text holds that stands in the file ``path``; see :func:`load_json`."""
    words = limited_text(text, path, what, error, hint=hint, limit=limit)
    with parsing(path, what, error, hint=hint):
        try:
            _check_json(words)
            content = json.loads(
                words,
                object_pairs_hook=_unique,
                parse_int=_whole,
                parse_float=lambda number: _real(number, finite),
                parse_constant=lambda number: _real(number, finite),
            )
            if _SURROGATE.search(words):
                json.dumps(content, ensure_ascii=False).encode()
        except json.JSONDecodeError as caught:
            fact = f"line {caught.lineno}, column {caught.colno}: {caught.msg}"
        except UnicodeEncodeError:
            fact = "it has half of a surrogate pair"
        except _MalformedError as caught:
            fact = str(caught)
        else:
            return content
    raise error(f"{path} cannot be read: {what} is not valid JSON ({fact}).", hint=hint)


def _check_json(text: str) -> None:
    """Count before anything is built; text that is no JSON may pass."""
    depth = 0
    most_depth, most_values = allowed(MAX_TEXT_DEPTH), allowed(MAX_TEXT_NODES)
    for values, token in enumerate(_JSON_TOKEN.finditer(text), start=1):
        char = text[token.start()]
        if char in "[{":
            depth += 1
        elif char in "]}":
            depth -= 1
        if depth > most_depth:
            raise _MalformedError(f"it is nested in more than {most_depth} levels")
        if values > most_values:
            raise _MalformedError(f"it has more than {most_values:,} values")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _MalformedError(f"the key {plain(twice, 80)!r} is given twice")
    return found


def _whole(digits: str) -> int:
    if len(digits) > MAX_NUMBER_DIGITS:
        raise _MalformedError(f"a number has {len(digits):,} digits")
    return int(digits)


def _real(text: str, finite: bool) -> float:
    if len(text) > 2 * MAX_NUMBER_DIGITS:
        raise _MalformedError(f"a number has {len(text):,} digits")
    number = float(text)
    if finite and not math.isfinite(number):
        raise _MalformedError(f"{plain(text, 40)} is no finite number")
    return number
