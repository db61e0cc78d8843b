"""YAML from others: limited in bytes, depth, values and aliases before anything is built of it.

What comes back is plain data: dicts whose keys are text, lists, text, numbers, booleans and None.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from ..errors import InstansegExportError
from ..limits import MAX_NUMBER_DIGITS, MAX_TEXT_ALIASES, MAX_TEXT_DEPTH, MAX_YAML_BYTES, MAX_YAML_NODES
from .boundary import allowed, parsing, plain
from .texts import limited_text, read_text, unpaired

__all__ = ["load_yaml", "load_yaml_text"]

_HINT = "Indent with spaces, and put text that contains ': ' or '#' in quotes."

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
        if unpaired(value):
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
    if unpaired(node.value):
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
    hint: str = _HINT,
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
    hint: str = _HINT,
    finite: bool = True,
    limit: int = MAX_YAML_BYTES,
) -> Any:
    """Return what a YAML text holds that stands in the file ``path``; see :func:`load_yaml`."""
    words = limited_text(text, path, what, error, hint=hint, limit=limit)
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
