"""From a description to the network that looks at each cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from .spec import ClassifiedSpec, MarkerPositivitySpec, TwoStageSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["OVERRIDES", "build_classifier"]

OVERRIDES: Mapping[type[TwoStageSpec], Mapping[str, Callable[[str], Any]]] = {
    ClassifiedSpec: {
        "classes": lambda text: tuple(part.strip() for part in text.split(",")),
        "first_logit": int,
        "divisor": float,
        "crop_size": int,
    },
    MarkerPositivitySpec: {"crop_size": int},
}
"""What ``--spec`` may override in each kind of description, and how its text is read."""


def build_classifier(spec: TwoStageSpec) -> nn.Module:
    """Build the second network of a description; its weights are random until they are loaded.

    Raises:
        CheckpointError: the package of its trunk is not installed.
    """
    from .crop_classifier import CropClassifier, PositivityClassifier

    if isinstance(spec, ClassifiedSpec):
        return CropClassifier(spec.classifier).eval()
    return PositivityClassifier(cast(MarkerPositivitySpec, spec).classifier).eval()
