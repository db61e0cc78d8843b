"""Reads a card, and says in plain words what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..errors import CardError
from ..registry import closest
from ..untrusted.boundary import plain, regular_file
from ..untrusted.yaml_texts import load_yaml
from .card import Author, Card, Citation, Dataset, Maintainer

__all__ = ["load_card"]

_EXAMPLE = "An example is model_zoo/nuclei_dsb2018/card.yaml; card_template() writes one for a checkpoint."
_SHOWN = 10
"""Findings that are named at once."""


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
    return plain(text, 120)


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
        return f"{place}: {plain(problem['ctx']['error'], 300)}"
    if kind in _EXPECTED:
        return f"{place} must be {_EXPECTED[kind]}, not {_shown(problem['input'])}"
    return f"{place}: {problem['msg'][0].lower()}{problem['msg'][1:]}, but it is {_shown(problem['input'])}"


def _shown(value: object) -> str:
    return repr(plain(value, 60)) if isinstance(value, str) else plain(repr(value), 60)


def load_card(path: str | Path) -> Card:
    """Read and check a card.

    Args:
        path: of a YAML file; its samples are looked up relative to its folder. A package carries copies of them, so
            they must lie in that folder or below: a card from elsewhere shall not pick other files of this machine.

    Raises:
        CardError: the file cannot be read, is not YAML, or a key is unknown, missing or wrong; the findings are named.
    """
    path = Path(path)
    content = load_yaml(path, "a card", CardError, finite=False)
    if not isinstance(content, dict):
        raise CardError(
            f"{path} holds no keys with values.", hint=f"A card has lines such as 'name: my model'. {_EXAMPLE}"
        )
    try:
        card = Card.model_validate(content)
    except ValidationError as error:
        found = error.errors(include_url=False)
        findings = list(dict.fromkeys(_explain(problem) for problem in found[:_SHOWN]))
        if len(found) > _SHOWN:
            findings.append(f"and {len(found) - _SHOWN:,} more")
        raise CardError(f"{path}: {'; '.join(findings)}.", hint=f"Correct the card. {_EXAMPLE}") from None
    samples = tuple(_sample(path, sample) for sample in card.samples)
    return card.model_copy(update={"samples": samples})


def _sample(path: Path, sample: Path) -> Path:
    file = path.parent / sample
    try:
        inside = file.resolve().is_relative_to(path.parent.resolve())
    except (OSError, ValueError, RuntimeError):  # a ring of links, or a name that none can have
        inside = True
    if sample.is_absolute() or not inside:
        raise CardError(
            f"{path}: the sample {sample} lies outside of the card's folder.",
            hint="Copy it beside the card, or name it with --samples.",
        )
    if file.suffix == ".zarr" and file.is_dir():
        return file
    try:
        regular_file(file, CardError)
    except CardError as error:
        raise CardError(
            f"{path}: a sample cannot be read: {error.message}",
            hint="Give paths of images relative to the card's folder, or leave samples out.",
        ) from error
    return file
