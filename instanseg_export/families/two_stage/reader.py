"""Reads a recipe: a small text file that names the two checkpoints of a model with two stages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...archives.torch_archive import kind_of
from ...errors import CheckpointError, SpecError
from ...files import sha256_of
from ...limits import MAX_PIXEL_SIZE, MIN_PIXEL_SIZE
from ...registry import closest
from ...untrusted.boundary import plain
from ...untrusted.yaml_texts import load_yaml
from ..checkpoint import Checkpoint, Load
from ..instanseg.spec import InstanSegSpec
from ..spec import Count, Name, first_finding
from ..spec_family import override
from ..weights import fill
from .build import OVERRIDES, build_classifier
from .spec import ClassifiedSpec, MarkerPositivitySpec, TwoStageSpec
from .weights import load_classifier_weights, measure_classifier, measure_positivity

__all__ = ["READER", "Recipe", "RecipeReader"]

_SUFFIXES = (".yaml", ".yml", ".json")


class Recipe(BaseModel):
    """What a recipe says. Paths are relative to the recipe's folder; they may lead out of it, as on a command line.

    Attributes:
        family: "classified" for a classifier of cells, "positivity" for marker positivity.
        segmentation: any checkpoint of InstanSeg.
        classifier: the file of the other network's weights.
        name: of the model; by default the recipe's file name.
        classes: names, in the order of the logits; for a classifier only.
        pixel_size: in micrometres, of the images that the model takes, at which crops are cut; by default the
            segmentation's.
        segmentation_pixel_size: in micrometres, where the segmentation's checkpoint does not say or is wrong.
        crop_size, first_logit, divisor: see :mod:`.two_stage_spec`; their defaults are the thesis's.
        stem_padding: of the trunk's first convolution, where the default is wrong.
        heads: of the attention of marker positivity.
        settings: defaults, in place of the segmentation's.
        source_datasets: names of the training data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    family: Literal["classified", "positivity"]
    segmentation: str
    classifier: str
    name: Name | None = None
    classes: tuple[Name, ...] = ()
    pixel_size: float | None = Field(default=None, ge=MIN_PIXEL_SIZE, le=MAX_PIXEL_SIZE)
    segmentation_pixel_size: float | None = Field(default=None, ge=MIN_PIXEL_SIZE, le=MAX_PIXEL_SIZE)
    crop_size: int | None = None
    first_logit: int = 0
    divisor: float = 255.0
    stem_padding: int | None = None
    heads: Count = 4
    settings: dict[str, Any] = Field(default_factory=dict)
    source_datasets: tuple[Name, ...] = ()


class RecipeReader:
    """Joins two checkpoints to one."""

    name = "recipe"
    describes = "a .yaml or .json recipe that names a segmentation and a classifier of its cells"

    def recognises(self, path: Path) -> bool:
        return path.suffix.lower() in _SUFFIXES and kind_of(path) not in ("missing", "folder", "special")

    def read(self, path: Path, overrides: dict[str, str], load: Load) -> Checkpoint:
        recipe = _parse(path)
        if recipe.family == "classified" and not recipe.classes:
            raise SpecError(
                f"The recipe {path} names no classes.", hint="Add classes: [first, second, …] in the logits' order."
            )
        if recipe.family == "positivity" and recipe.classes:
            raise SpecError(
                f"The recipe {path} names classes, but marker positivity gives a logit for each channel.",
                hint="Remove classes, or set family: classified.",
            )
        first = _segmentation(recipe, path, load)
        segmentation = first.spec
        assert isinstance(segmentation, InstanSegSpec)
        file = path.parent / recipe.classifier
        weights = load_classifier_weights(file)
        fields: dict[str, Any] = {
            "name": recipe.name or path.stem,
            "structures": segmentation.structures,
            "pixel_size": recipe.pixel_size or segmentation.pixel_size,
            "settings": {**segmentation.settings, **recipe.settings},
            "source_datasets": recipe.source_datasets or segmentation.source_datasets,
            "segmentation": segmentation,
        }
        if recipe.crop_size is not None:
            fields["crop_size"] = recipe.crop_size
        padding = {} if recipe.stem_padding is None else {"stem_padding": recipe.stem_padding}
        spec: TwoStageSpec
        try:
            if recipe.family == "classified":
                seen = measure_classifier(weights, file).model_copy(update=padding)
                fields |= {"channels": seen.channels, "classifier": seen, "classes": recipe.classes}
                fields |= {"first_logit": recipe.first_logit, "divisor": recipe.divisor}
                spec = ClassifiedSpec.model_validate(fields)
            else:
                judged = measure_positivity(weights, file, recipe.heads).model_copy(update=padding)
                spec = MarkerPositivitySpec.model_validate(
                    {**fields, "channels": segmentation.channels, "classifier": judged}
                )
        except ValidationError as error:
            raise SpecError(
                f"The recipe {path} does not fit its checkpoints: {first_finding(error)}.", hint=_HINT
            ) from error
        overridden = override(spec, overrides, path, OVERRIDES[type(spec)])
        assert isinstance(overridden, TwoStageSpec)
        classifier = fill(lambda: build_classifier(overridden), weights, file, title=overridden.title)

        from .network import TwoStageNetwork

        digest = hashlib.sha256(f"{sha256_of(path)} {first.sha256} {sha256_of(file)}".encode()).hexdigest()
        network = TwoStageNetwork(first.network, classifier)
        notes = first.inferred
        if segmentation.pixel_size is None and overridden.pixel_size is not None:
            notes = (*(note for note in notes if "pixel_size" not in note), _NO_SIZE)
        return Checkpoint(overridden, network, path, digest, self.name, notes)


_NO_SIZE = (
    "The segmentation's pixel size is not stated: it sees the image as it is. Add segmentation_pixel_size to the "
    "recipe if you know it."
)
_HINT = "Correct the recipe; docs/classify.md describes it."


def _segmentation(recipe: Recipe, path: Path, load: Load) -> Checkpoint:
    source = path.parent / recipe.segmentation
    if source.suffix.lower() in _SUFFIXES:
        raise CheckpointError(
            f"The recipe {path} names another recipe, {source}, as its segmentation.",
            hint="Name a checkpoint of InstanSeg.",
        )
    size = recipe.segmentation_pixel_size
    checkpoint = load(source, {} if size is None else {"pixel_size": str(size)})
    if not isinstance(checkpoint.spec, InstanSegSpec):
        raise CheckpointError(
            f"The recipe {path} names {source} as its segmentation, which is of the family {checkpoint.spec.title}.",
            hint="Name a checkpoint of InstanSeg.",
        )
    return checkpoint


def _parse(path: Path) -> Recipe:
    try:
        content = load_yaml(path, "a recipe", SpecError, hint=_HINT)
    except SpecError as error:
        raise SpecError(f"The recipe cannot be read: {error.message}", hint=error.hint) from error
    if not isinstance(content, Mapping):
        raise SpecError(f"The recipe {path} holds no fields.", hint=_HINT)
    for key in content:
        if key not in Recipe.model_fields:
            guess = closest(key, Recipe.model_fields)
            suggestion = f"Did you mean {guess!r}? " if guess else ""
            raise SpecError(
                f"The recipe {path} has a field {plain(key, 80)!r}, which no recipe has.",
                hint=f"{suggestion}Fields are: {', '.join(Recipe.model_fields)}.",
            )
    try:
        return Recipe.model_validate(dict(content))
    except ValidationError as error:
        raise SpecError(f"The recipe {path} is malformed: {first_finding(error)}.", hint=_HINT) from error


READER = RecipeReader()
