"""From what a recipe says of a network with two stages to its description: the first stage is a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...checkpoints import load_checkpoint
from ...errors import InstansegExportError, RecipeError
from ...families.checkpoint import Checkpoint
from ...families.instanseg.spec import InstanSegSpec

__all__ = ["describe"]


def describe(model: Mapping[str, Any], path: Path) -> tuple[dict[str, Any], Checkpoint]:
    """Put the segmentation's description in place of its path, and take from it what the recipe leaves out.

    Args:
        model: of the recipe; its "segmentation" is the path of a checkpoint, relative to the recipe.
        path: of the recipe.

    Returns:
        What describes the whole, to be validated, and the segmentation.

    Raises:
        RecipeError: there is no such checkpoint, it cannot be read, or is none of InstanSeg.
    """
    source = model.get("segmentation")
    if not isinstance(source, str):
        raise RecipeError(
            f"{path}: model.segmentation does not name a checkpoint.",
            hint="Give the path of a checkpoint that finds the cells. It is not trained, and becomes part of best.pt.",
        )
    try:
        first = load_checkpoint(path.parent / source)
    except InstansegExportError as error:
        raise RecipeError(f"{path}: model.segmentation: {error.message}", hint=error.hint) from error
    seen = first.spec
    if not isinstance(seen, InstanSegSpec):
        raise RecipeError(
            f"{path}: model.segmentation is of the family {seen.title}.", hint="Name a checkpoint of InstanSeg."
        )
    classifier = model.get("classifier")
    described: dict[str, Any] = {
        "structures": seen.structures,
        "channels": seen.channels,
        "pixel_size": seen.pixel_size,
        "source_datasets": seen.source_datasets,
        **model,
        "segmentation": seen,
        "settings": {**seen.settings, **_mapping(model.get("settings"))},
    }
    classes = model.get("classes")
    if isinstance(classes, list) and isinstance(classifier, Mapping):
        seen_by_it = {"channels": described["channels"], "logits": len(classes)}
        described["classifier"] = {**seen_by_it, **classifier}
    return described, first


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
