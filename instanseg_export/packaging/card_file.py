"""Reads a card, and says in plain words what is wrong with it."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..errors import CardError
from ..registry import closest
from .card import Author, Card, Citation, Dataset, Maintainer

__all__ = ["load_card"]

_EXAMPLE = "An example is model_zoo/nuclei_dsb2018/card.yaml; card_template() writes one for a checkpoint."
_MAX_BYTES = 1_000_000


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which also refuses a key that is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} is given twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> Any:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CardError(
            f"Cannot read the card {path}: {error.strerror or error}.",
            hint=f"Give the path of a card.yaml. {_EXAMPLE}",
        ) from error
    if len(content) > _MAX_BYTES:
        raise CardError(f"{path} has {len(content)} bytes, too many for a card.", hint="Give the path of a card.yaml.")
    try:
        return yaml.load(content.decode("utf-8"), Loader=_Loader)
    except UnicodeDecodeError as error:
        raise CardError(f"{path} is not text in UTF-8.", hint="Save the card as a text file in UTF-8.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise CardError(
            f"{where}: this is not valid YAML: {problem}.",
            hint="Indent with spaces, and put text that contains ': ' or '#' in quotes.",
        ) from error


_EXPECTED = {
    "string_type": "text; put numbers in quotes, as in '1.0.0'",
    "tuple_type": "a list, one entry per line after a dash",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "model_type": "a group of keys, indented below this one",
    "model_attributes_type": "a group of keys, indented below this one",
    "dict_type": "a group of keys, indented below this one",
    "path_type": "the path of a file",
}
_PARTS: dict[str, type[BaseModel]] = {
    "authors": Author,
    "cite": Citation,
    "training_data": Dataset,
    "maintainers": Maintainer,
}


def _place(location: tuple[int | str, ...]) -> str:
    text = ""
    for step in location:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _explain(problem: ErrorDetails) -> str:
    """Put one of pydantic's findings in our words."""
    location, kind = problem["loc"], problem["type"]
    place = _place(location)
    if kind == "extra_forbidden":
        model = _PARTS.get(str(location[0]), Card) if len(location) > 1 else Card
        guess = closest(str(location[-1]), model.model_fields)
        known = ", ".join(model.model_fields)
        return f"{place} is not a known key{f', did you mean {guess!r}?' if guess else ''} (known are {known})"
    if kind == "missing":
        return f"{place} is missing"
    if kind == "value_error":
        return f"{place}: {problem['ctx']['error']}"
    if kind in _EXPECTED:
        return f"{place} must be {_EXPECTED[kind]}, not {problem['input']!r:.60}"
    return f"{place}: {problem['msg'][0].lower()}{problem['msg'][1:]}, but it is {problem['input']!r:.60}"


def load_card(path: str | Path) -> Card:
    """Read and check a card.

    Args:
        path: of a YAML file; its samples are looked up relative to its folder.

    Raises:
        CardError: the file cannot be read, is not YAML, or a key is unknown, missing or wrong; all findings are named.
    """
    path = Path(path)
    content = _read_yaml(path)
    if not isinstance(content, dict):
        raise CardError(
            f"{path} holds no keys with values.", hint=f"A card has lines such as 'name: my model'. {_EXAMPLE}"
        )
    try:
        card = Card.model_validate(content)
    except ValidationError as error:
        findings = list(dict.fromkeys(_explain(problem) for problem in error.errors()))
        raise CardError(f"{path}: {'; '.join(findings)}.", hint=f"Correct the card. {_EXAMPLE}") from None
    samples = tuple(path.parent / sample for sample in card.samples)
    missing = [str(sample) for sample in samples if not sample.is_file()]
    if missing:
        raise CardError(
            f"{path}: samples that do not exist: {', '.join(missing)}.",
            hint="Give paths relative to the card's folder, or leave samples out.",
        )
    return card.model_copy(update={"samples": samples})
