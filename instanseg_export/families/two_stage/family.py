"""The families of models that segment cells and then look at each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..checkpoint import Checkpoint
from ..instanseg.family import FAMILY as INSTANSEG
from ..spec import ModelSpec
from ..spec_family import override
from ..weights import dense_weights, fill
from .spec import ClassifiedSpec, MarkerPositivitySpec, TwoStageSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["CLASSIFIED", "POSITIVITY", "TwoStageFamily", "build_classifier"]


class TwoStageFamily:
    """See :class:`.family.Family`. What segments is restored by its own family, the classifier from its description.

    Args:
        spec: the class of its descriptions.
        fields: what ``--spec`` may override beside the fields of every family, and how its text is read.
    """

    def __init__(self, spec: type[TwoStageSpec], fields: Mapping[str, Callable[[str], Any]]) -> None:
        self.spec: type[ModelSpec] = spec
        self.fields = fields

    def restore(
        self,
        spec: ModelSpec,
        state: Mapping[Any, Any],
        overrides: Mapping[str, str],
        path: Path,
        *,
        sha256: str,
        reader: str,
    ) -> Checkpoint:
        from .network import TwoStageNetwork

        known = cast(TwoStageSpec, override(spec, overrides, path, self.fields))
        named = {str(name).removeprefix("network."): tensor for name, tensor in state.items()}
        first = INSTANSEG.restore(
            known.segmentation, _below("segmentation.", named), {}, path, sha256=sha256, reader=reader
        )
        weights = dense_weights(_below("classifier.", named), path)
        classifier = fill(lambda: build_classifier(known), weights, path, title=known.title)
        known = known.model_copy(update={"segmentation": first.spec})
        return Checkpoint(known, TwoStageNetwork(first.network, classifier), path, sha256, reader)


def _below(prefix: str, state: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def build_classifier(spec: TwoStageSpec) -> nn.Module:
    """Build the second network of a description; its weights are random until they are loaded.

    Raises:
        CheckpointError: the package of its trunk is not installed.
    """
    from .crop_classifier import CropClassifier, PositivityClassifier

    if isinstance(spec, ClassifiedSpec):
        return CropClassifier(spec.classifier).eval()
    return PositivityClassifier(cast(MarkerPositivitySpec, spec).classifier).eval()


CLASSIFIED = TwoStageFamily(
    ClassifiedSpec,
    {
        "classes": lambda text: tuple(part.strip() for part in text.split(",")),
        "first_logit": int,
        "divisor": float,
        "crop_size": int,
    },
)
POSITIVITY = TwoStageFamily(MarkerPositivitySpec, {"crop_size": int})
