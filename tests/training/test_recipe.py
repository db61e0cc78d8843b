"""Recipes, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from instanseg_export.errors import RecipeError
from instanseg_export.families.instanseg.spec import InstanSegSpec
from instanseg_export.training.recipe_file import load_recipe
from support.paths import ROOT
from support.training_data import write_recipe


def test_a_recipe_is_read_with_its_defaults(tmp_path: Path) -> None:
    plan = load_recipe(write_recipe(tmp_path))
    assert isinstance(plan.spec, InstanSegSpec)
    assert plan.spec.backbone.in_channels == 3
    assert plan.recipe.optimiser.clip == 20.0
    assert plan.source == tmp_path / "data"
    assert plan.identity == load_recipe(write_recipe(tmp_path), source=tmp_path).identity


@pytest.mark.parametrize("path", sorted((ROOT / "model_zoo").glob("*/recipe.yaml")), ids=lambda path: path.parent.name)
def test_recipes_of_the_model_zoo_are_valid(path: Path, tmp_path: Path) -> None:
    assert load_recipe(path, source=tmp_path).recipe.optimiser.steps > 100


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"optimizer": {}}, "optimizer is not a known key, did you mean 'optimiser'?"),
        ({"crops": {"sise": 3}}, "crops.sise is not a known key, did you mean 'size'? (known are size, depth, batch"),
        ({"objective": {"warm": 3}}, "objective.warm is not a known key"),
        ({"model": {"layer": 3}}, "model.layer is not a known key"),
        ({"model": {"family": "unet"}}, "model.family: There is no family that can be trained called 'unet'"),
        ({"model": {"family": None}}, "model.family is missing"),
        ({"model": {"n_sigma": 3}}, "need 6"),
        ({"optimiser": {"steps": "many"}}, "optimiser.steps: input should be a valid integer"),
        ({"optimiser": {"final_rate": 0.5}}, "optimiser.final_rate is larger"),
        ({"data": {"source": "elsewhere"}}, "elsewhere, and there is no such file"),
        ({"initial_weights": "gone.pt"}, "initial_weights is"),
        ({"channels": {"least": 2}}, "channels sets channel drop-out, but the network takes 3 channels"),
        ({"data": {"labels": {"cells": "x"}}}, "data.labels names 'cells', whose label maps are not needed"),
        ({"crops": {"size": 40}}, "crops.size is 40, but InstanSeg takes multiples of 16"),
        ({"crops": {"scale": [2, 1]}}, "scale has to be a smaller and a larger number"),
        ({"seed": -1}, "seed: input should be greater than or equal to 0"),
        ({"precision": "8"}, "precision: input should be '32', 'bf16' or '16'"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, changes: dict[str, Any], fact: str) -> None:
    recipe = write_recipe(tmp_path, **changes)
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe)
    assert fact in caught.value.message
    assert str(recipe) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "- a\n- b", "a: [", "model: {family: x}", "model: 3"])
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError):
        load_recipe(path)


def test_a_recipe_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="There is no file"):
        load_recipe(tmp_path / "recipe.yaml")
