"""Reads a recipe, and says in plain words what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import InstansegExportError, RecipeError
from ..families.checkpoint import Checkpoint
from ..families.registry import FAMILIES
from ..families.spec import ModelSpec, SpecPart
from ..registry import closest
from ..untrusted.boundary import plain
from ..untrusted.yaml_texts import load_yaml
from .objective import TrainedFamily
from .recipe import Recipe
from .registry import OBJECTIVES

__all__ = ["Plan", "load_recipe"]

T = TypeVar("T", bound=BaseModel)

_HINT = "docs/training.md explains every key; model_zoo/nuclei/recipe.yaml is an example."


@dataclass(frozen=True)
class Plan:
    """A recipe whose parts were looked up and fit together.

    Attributes:
        recipe: as it was written.
        spec: of the network.
        family: of the network.
        options: of the objective.
        path: of the recipe.
        source: of the data.
        first: what finds the cells that the network judges; None where it segments.
    """

    recipe: Recipe
    spec: ModelSpec
    family: TrainedFamily
    options: SpecPart
    path: Path
    source: Path
    first: Checkpoint | None = None

    def beside(self, path: Path) -> Path:
        """Return a path that the recipe names, which is relative to the recipe's folder."""
        return self.path.parent / path

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the weights, as plain data with defaults filled in, but for where files lie."""
        content = {
            **self.recipe.model_dump(mode="json"),
            "model": self.spec.model_dump(mode="json"),
            "objective": self.options.model_dump(mode="json"),
        }
        del content["data"]["source"], content["initial_weights"]
        return content if self.first is None else {**content, "segmentation": self.first.sha256}


def load_recipe(path: str | Path, *, source: str | Path | None = None) -> Plan:
    """Read and check a recipe.

    Args:
        path: of a YAML file; paths in it are relative to its folder.
        source: of the data; by default what the recipe says.

    Raises:
        RecipeError: the file cannot be read, is not YAML, a key is unknown, missing or wrong, or a file that it names
            is not there.
    """
    path = Path(path)
    content = load_yaml(path, "a recipe", RecipeError)
    if not isinstance(content, dict):
        raise RecipeError(f"{path} holds no keys with values.", hint=_HINT)
    recipe = _validated(Recipe, content, path, "")
    name = recipe.model.get("family")
    if not isinstance(name, str):
        raise RecipeError(f"{path}: model.family is missing.", hint=f"Known are: {', '.join(OBJECTIVES.names())}.")
    try:
        family = OBJECTIVES.get(name)
        described = FAMILIES.get(name).spec
    except InstansegExportError as error:
        raise RecipeError(f"{path}: model.family: {error.message}", hint=error.hint) from error
    model, first = (recipe.model, None) if family.cells is None else family.cells.describe(recipe.model, path)
    spec = _validated(described, model, path, "model.")
    options = _validated(family.options, recipe.objective, path, "objective.")
    place = Path(source) if source is not None else path.parent / recipe.data.source
    plan = Plan(recipe, spec, family, options, path, place, first)
    _check(plan)
    return plan


def _check(plan: Plan) -> None:
    """Refuse what contradicts itself, and names of files that are not there."""
    recipe, spec, path = plan.recipe, plan.spec, plan.path
    if not plan.source.exists():
        raise RecipeError(
            f"{path}: the data should be in {plan.source}, and there is no such file or folder.",
            hint="Say with --data where they are; paths in a recipe are relative to its folder.",
        )
    if recipe.initial_weights is not None and not plan.beside(recipe.initial_weights).exists():
        raise RecipeError(
            f"{path}: initial_weights is {plan.beside(recipe.initial_weights)}, and there is no such file or folder.",
            hint="Paths in a recipe are relative to its folder.",
        )
    if plan.family.cells is not None:
        plan.family.cells.check(plan)
    else:
        _check_crops(plan)
    if recipe.channels is not None and spec.channels is not None:
        raise RecipeError(
            f"{path}: channels sets channel drop-out, but the network takes {spec.channels} channels.",
            hint="Leave channels out, or describe a network that takes any number (channels: null and an adaptor).",
        )
    for structure in recipe.data.labels:
        if structure not in plan.family.annotated(spec):
            raise RecipeError(
                f"{path}: data.labels names {plain(structure, 80)!r}, whose label maps are not needed.",
                hint=f"Needed are those of {', '.join(plan.family.annotated(spec))}.",
            )
    if recipe.optimiser.final_rate > recipe.optimiser.learning_rate:
        raise RecipeError(
            f"{path}: optimiser.final_rate is larger than optimiser.learning_rate.", hint="The rate falls to it."
        )


def _check_crops(plan: Plan) -> None:
    """Refuse sizes that the network does not take: without slices where it takes volumes, with some where images."""
    size, depth = plan.recipe.crops.size, plan.recipe.crops.depth
    multiple, title = plan.family.multiple, plan.spec.title
    if size % multiple:
        raise RecipeError(
            f"{plan.path}: crops.size is {size}, but {title} takes multiples of {multiple}.",
            hint=f"Give a multiple of {multiple}.",
        )
    if plan.spec.dimensions == 2 and depth is not None:
        raise RecipeError(
            f"{plan.path}: crops.depth is {depth}, but {title} takes images, which have no slices.",
            hint="Leave it out, or describe a network of volumes; docs/training.md names the families.",
        )
    if plan.spec.dimensions == 3 and (depth is None or depth % multiple):
        fact = "is missing, and" if depth is None else f"is {depth}, but"
        raise RecipeError(
            f"{plan.path}: crops.depth {fact} {title} takes volumes whose slices are a multiple of {multiple}.",
            hint=f"Give a multiple of {multiple}, such as {4 * multiple}.",
        )


def _validated(model: type[T], content: Any, path: Path, prefix: str) -> T:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        found = error.errors(include_url=False)[:5]
        facts = [_explain(model, problem, prefix) for problem in found]
        raise RecipeError(f"{path}: {'; '.join(facts)}.", hint=_HINT) from None


def _explain(model: type[BaseModel], problem: Any, prefix: str) -> str:
    steps = [str(step) for step in problem["loc"]]
    place = plain(prefix + ".".join(steps), 120)
    if problem["type"] == "extra_forbidden":
        known = _fields(model, steps[:-1])
        guess = closest(steps[-1], known)
        suggestion = f", did you mean {guess!r}?" if guess else ""
        return f"{place} is not a known key{suggestion} (known are {', '.join(known)})"
    if problem["type"] == "missing":
        return f"{place} is missing"
    words = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {plain(words[0].lower() + words[1:], 200).rstrip('.')}"


def _fields(model: type[BaseModel], steps: list[str]) -> list[str]:
    """Return the keys of a group, as far as its place tells which group it is."""
    for step in steps:
        field = model.model_fields.get(step)
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())] if field is not None else []
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    return list(model.model_fields)
