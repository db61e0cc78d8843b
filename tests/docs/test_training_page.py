"""docs/training.md explains every key of a recipe, with its default."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel

from instanseg_export.training.recipe import Recipe
from instanseg_export.training.registry import OBJECTIVES
from support.paths import ROOT

PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def _rows(text: str) -> dict[str, str]:
    """Key to default, of all tables; rows may name several keys, with a default for each or one for all."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = re.findall(r"`([\w.]+)`", cells[0])
        if len(cells) == 3 and names:
            defaults = [part.strip(" `") for part in cells[2].split(";")[-1].split(",")]
            for place, name in enumerate(names):
                found[name] = defaults[place] if len(defaults) == len(names) else cells[2].strip("`")
    return found


def _keys(model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    keys: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        parts = [field.annotation, *getattr(field.annotation, "__args__", ())]
        group = next((part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)), None)
        if group is not None:
            keys |= _keys(group, f"{prefix}{name}.")
        else:
            keys[f"{prefix}{name}"] = field.default
    return keys


def _assert_explained(keys: dict[str, Any], rows: dict[str, str]) -> None:
    assert [name for name in keys if name not in rows] == []
    for name, default in keys.items():
        if isinstance(default, int | float | str):
            said = rows[name]
            same = said == str(default).lower() or said == str(default)
            assert same or float(said) == float(default), f"{name}: {default}, but the page says {said}"


def test_every_key_of_a_recipe_is_explained_with_its_default() -> None:
    _assert_explained(_keys(Recipe), _rows(PAGE.partition("## Recipe")[2].partition("## Objectives")[0]))


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_every_key_of_an_objective_is_explained_with_its_default(name: str) -> None:
    sections = re.split(r"\n### ", PAGE)
    section = next(text for text in sections if text.lower().startswith(name.removesuffix("_3d")))
    _assert_explained(_keys(OBJECTIVES.get(name).options), _rows(section))
