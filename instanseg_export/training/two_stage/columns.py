"""What a line of cells.csv says to each of the networks that judge cells, and what their recipes may not say."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import RecipeError
from ...families.two_stage.spec import ClassifiedSpec, MarkerPositivitySpec
from ..data.cells import whole
from ..objective import CellColumns
from ..recipe_file import Plan
from .options import ClassOptions, PositivityOptions

__all__ = ["check", "columns_of_classes", "columns_of_positivity"]

_CROPS = ("batch", "flips", "rotations")


def columns_of_classes(spec: ClassifiedSpec, options: ClassOptions) -> CellColumns:
    """Return how a cell's class is read, and its set of labels where there are several."""

    def read(row: Mapping[str, str]) -> tuple[int, int]:
        if row["class"] not in spec.classes:
            raise ValueError(f"the class {row['class'][:80]!r} is none of {', '.join(spec.classes)}")
        if not options.sets:
            return 0, spec.classes.index(row["class"])
        if row["set"] not in options.sets:
            raise ValueError(f"the set {row['set'][:80]!r} is none of {', '.join(options.sets)}")
        return options.sets.index(row["set"]), spec.classes.index(row["class"])

    return CellColumns(("class", "set") if options.sets else ("class",), read)


def columns_of_positivity(spec: MarkerPositivitySpec, options: PositivityOptions) -> CellColumns:
    """Return how a channel is read, and whether a cell is positive in it."""

    def read(row: Mapping[str, str]) -> tuple[int, int]:
        channel = whole(row["channel"], "channel")
        if row["positive"].strip() not in ("0", "1"):
            raise ValueError(f"positive is {row['positive'][:40]!r}, neither 0 nor 1")
        return channel - 1, int(row["positive"])

    return CellColumns(("channel", "positive"), read, of_channels=True)


def check(plan: Plan) -> None:
    """Refuse what a recipe says of crops that their networks decide, and sets of labels without logits.

    Raises:
        RecipeError: it does.
    """
    for name in sorted(plan.recipe.crops.model_fields_set - set(_CROPS)):
        raise RecipeError(
            f"{plan.path}: crops.{name} says nothing to {plan.spec.title}, which looks at cells as they are.",
            hint=f"Leave it out: model.crop_size is the size of a crop. Known here are {', '.join(_CROPS)}.",
        )
    if plan.recipe.channels is not None:
        raise RecipeError(
            f"{plan.path}: channels sets channel drop-out, but {plan.spec.title} looks at all channels.",
            hint="Leave channels out.",
        )
    if isinstance(plan.spec, ClassifiedSpec) and isinstance(plan.options, ClassOptions):
        sets, classes, logits = max(1, len(plan.options.sets)), len(plan.spec.classes), plan.spec.classifier.logits
        if sets * classes != logits or len(set(plan.options.sets)) != len(plan.options.sets):
            raise RecipeError(
                f"{plan.path}: model.classifier.logits is {logits}, but {sets} set{'s' * (sets > 1)} of {classes} "
                f"classes need{'s' * (sets == 1)} {sets * classes}.",
                hint="Name each set of labels once in objective.sets, and give logits for the classes of each.",
            )
