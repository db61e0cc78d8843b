"""Reading YAML and JSON from others: limited in bytes, depth, values and aliases before anything is built of them.

What comes back is plain data: dicts whose keys are text, lists, text, numbers, booleans and None.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from ..errors import InstansegExportError
from ..limits import (
    MAX_NUMBER_DIGITS,
    MAX_TEXT_ALIASES,
    MAX_TEXT_BYTES,
    MAX_TEXT_DEPTH,
    MAX_TEXT_NODES,
    MAX_YAML_BYTES,
    MAX_YAML_NODES,
)
from .boundary import allowed, parsing, plain, read_limited

__all__ = ["load_json", "load_json_text", "load_yaml", "load_yaml_text", "read_text"]

_HINT = "Copy or download the file again."
_YAML_HINT = "Indent with spaces, and put text that contains ': ' or '#' in quotes."


class _MalformedError(ValueError):
    """What is wrong with a text, in words for the user."""


def read_text(
    path: Path, what: str, error: type[InstansegExportError], *, hint: str = _HINT, limit: int = MAX_TEXT_BYTES
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


def _unpaired(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


# JSON


_JSON_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[\[\]{},]', re.DOTALL)
"""Strings, also one that nothing closes, and what opens, closes and separates values."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def load_json(
    path: Path,
    what: str,
    error: type[InstansegExportError],
    *,
    hint: str = _HINT,
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
    hint: str = _HINT,
    finite: bool = True,
    limit: int = MAX_TEXT_BYTES,
) -> Any:
    """Return what a JSON text holds that stands in the file ``path``; see :func:`load_json`."""
    if len(text) > allowed(limit):
        raise error(f"{path} has {len(text):,} bytes in {what}, too many.", hint=hint)
    words = _decoded(text, path, error) if isinstance(text, bytes) else text
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


# YAML


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C where it is installed: that in Python needs ten seconds for a megabyte."""

_KINDS = ("null", "bool", "int", "float", "str", "seq", "map")


class _Loader(_Base):  # type: ignore[misc]
    """Builds plain data, with text as keys, and refuses a key that is given twice."""

    finite = True

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        own: set[str] = set()
        for key, _ in node.value:
            text = _key(key)
            if text in own:
                raise _wrong(f"the key {plain(text, 80)!r} is given twice", key.start_mark)
            own.add(text)
        self.flatten_mapping(node)
        return {_key(key): self.construct_object(value, deep=True) for key, value in node.value}

    def whole(self, node: yaml.ScalarNode) -> int:
        self.short(node)
        return int(self.construct_yaml_int(node))

    def real(self, node: yaml.ScalarNode) -> float:
        self.short(node)
        number = float(self.construct_yaml_float(node))
        if self.finite and not math.isfinite(number):
            problem = f"{plain(node.value, 40)} is no finite number"
            raise _wrong(problem, node.start_mark)
        return number

    def text(self, node: yaml.ScalarNode) -> str:
        value = str(self.construct_scalar(node))
        if _unpaired(value):
            raise _wrong("a text has half of a surrogate pair", node.start_mark)
        return value

    def short(self, node: yaml.Node) -> None:
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip("+-_"):
            raise _wrong("this is no number", node.start_mark)
        if len(node.value) > MAX_NUMBER_DIGITS:
            problem = f"a number has {len(node.value):,} digits"
            raise _wrong(problem, node.start_mark)


class _FreeLoader(_Loader):
    """Lets numbers pass that are not finite."""

    finite = False


def _wrong(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _wrong("a key is no text", node.start_mark)
    if _unpaired(node.value):
        raise _wrong("a key has half of a surrogate pair", node.start_mark)
    return str(node.value)


_Loader.yaml_constructors = {
    f"tag:yaml.org,2002:{kind}": _Base.yaml_constructors[f"tag:yaml.org,2002:{kind}"] for kind in _KINDS
} | {
    "tag:yaml.org,2002:int": _Loader.whole,
    "tag:yaml.org,2002:float": _Loader.real,
    "tag:yaml.org,2002:str": _Loader.text,
    None: _Base.yaml_constructors[None],  # which raises, for all other tags
}
# A date is text to us: "2001-99-99" is no date, and nothing that is read here asks for one.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in _Base.yaml_implicit_resolvers.items()
}
_FreeLoader.yaml_constructors = _Loader.yaml_constructors
_FreeLoader.yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


def load_yaml(
    path: Path,
    what: str,
    error: type[InstansegExportError],
    *,
    hint: str = _YAML_HINT,
    finite: bool = True,
    limit: int = MAX_YAML_BYTES,
) -> Any:
    """Return what a YAML file holds. Its keys are text, as they are written; dates are text, too.

    Args:
        path: of the file, as the user named it.
        what: it should be, for messages, as in "a card".
        error: the kind of error to raise.
        hint: the remedy.
        finite: refuse .nan, .inf and numbers that are too large.
        limit: bytes; see :mod:`.limits`.

    Raises:
        InstansegExportError: of kind ``error``: it cannot be read, is too large, is nested too deeply, has too many
            aliases, gives a key twice, names another type than those of plain data, or is no YAML.
    """
    text = read_text(path, what, error, hint=f"Give a file that holds {what}.", limit=limit)
    return load_yaml_text(text, path, what, error, hint=hint, finite=finite, limit=limit)


def load_yaml_text(
    text: str | bytes,
    path: Path,
    what: str,
    error: type[InstansegExportError],
    *,
    hint: str = _YAML_HINT,
    finite: bool = True,
    limit: int = MAX_YAML_BYTES,
) -> Any:
    """Return what a YAML text holds that stands in the file ``path``; see :func:`load_yaml`."""
    if len(text) > allowed(limit):
        raise error(f"{path} has {len(text):,} bytes in {what}, too many.", hint=hint)
    words = _decoded(text, path, error) if isinstance(text, bytes) else text
    with parsing(path, what, error, hint=hint):
        try:
            _check_yaml(words)
            return yaml.load(words, Loader=_Loader if finite else _FreeLoader)
        except yaml.YAMLError as caught:
            raise _not_yaml(caught, path, error, hint) from caught


def _not_yaml(caught: yaml.YAMLError, path: Path, error: type[InstansegExportError], hint: str) -> InstansegExportError:
    mark = getattr(caught, "problem_mark", None) or getattr(caught, "context_mark", None)
    where = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
    problem = plain(getattr(caught, "problem", None) or (str(caught).splitlines() or [""])[0], 200).rstrip(". ")
    return error(f"{where}: this is not valid YAML: {problem or 'it cannot be parsed'}.", hint=hint)


def _check_yaml(text: str) -> None:
    """Count the values, an alias with all that it stands for, before anything is built.

    Raises:
        yaml.YAMLError: it is no YAML, or has too many values, levels or aliases.
    """
    most_depth, most_values = allowed(MAX_TEXT_DEPTH), allowed(MAX_YAML_NODES)
    most_aliases = allowed(MAX_TEXT_ALIASES)
    anchors: dict[str, tuple[int, int]] = {}  # values, and levels below
    open_: list[tuple[str | None, int, int]] = []  # anchor, values before, deepest level below
    values = aliases = 0
    for event in yaml.parse(text, Loader=_Base):
        below = 0
        if isinstance(event, yaml.AliasEvent):
            aliases += 1
            if event.anchor not in anchors:
                problem = f"the alias {plain(event.anchor, 40)!r} stands for nothing, or for what it is part of"
                raise _wrong(problem, event.start_mark)
            count, below = anchors[event.anchor]
            values += count
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            if event.anchor:
                anchors[event.anchor] = (1, 0)
        elif isinstance(event, yaml.CollectionStartEvent):
            values += 1
            open_.append((event.anchor, values - 1, 0))
            if event.anchor:
                anchors.pop(event.anchor, None)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before, below = open_.pop()
            below += 1
            if anchor:
                anchors[anchor] = (values - before, below)
        if open_ and below > open_[-1][2]:
            open_[-1] = (*open_[-1][:2], below)
        for fact in (
            f"it is nested in more than {most_depth} levels" if len(open_) + below > most_depth else "",
            f"it has more than {most_values:,} values" if values > most_values else "",
            f"it has more than {most_aliases} aliases" if aliases > most_aliases else "",
        ):
            if fact:
                raise _wrong(fact, event.start_mark)
