"""The families of models that segment cells and then look at each of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..checkpoint import Checkpoint
from ..family import Family
from ..instanseg.family import FAMILY as SEGMENTATION
from ..spec import ModelSpec
from ..spec_family import override
from ..weights import dense_weights, fill
from .build import OVERRIDES, build_classifier
from .reader import READER
from .spec import ClassifiedSpec, MarkerPositivitySpec, TwoStageSpec
from .weights import SIGNATURES

if TYPE_CHECKING:
    from ..base import SegmentationForward

__all__ = ["CLASSIFIED", "POSITIVITY"]


def _restore(
    spec: ModelSpec,
    state: Mapping[Any, Any],
    overrides: Mapping[str, str],
    path: Path,
    *,
    sha256: str,
    reader: str,
    folded: bool = False,
) -> Checkpoint:
    """See :class:`.Restore`. What segments is restored by its own family, the classifier from its description."""
    from .network import TwoStageNetwork

    given = cast(TwoStageSpec, spec)
    known = cast(TwoStageSpec, override(given, overrides, path, OVERRIDES[type(given)]))
    named = {str(name).removeprefix("network."): tensor for name, tensor in state.items()}
    first = SEGMENTATION.restore(
        known.segmentation, _below("segmentation.", named), {}, path, sha256=sha256, reader=reader, folded=folded
    )
    weights = dense_weights(_below("classifier.", named), path)
    classifier = fill(lambda: build_classifier(known), weights, path, title=known.title)
    known = known.model_copy(update={"segmentation": first.spec})
    return Checkpoint(known, TwoStageNetwork(first.network, classifier), path, sha256, reader)


def _below(prefix: str, state: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def _build_classified(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> SegmentationForward:
    from .forward import build_classified

    return build_classified(checkpoint, settings)


def _build_positivity(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> SegmentationForward:
    from .forward import build_positivity

    return build_positivity(checkpoint, settings)


def _numbers_per_pixel(spec: TwoStageSpec, target: str, channels: int) -> float:
    # The classifier sees a few cells at a time.
    of_segmentation = SEGMENTATION.numbers_per_pixel
    assert of_segmentation is not None
    return of_segmentation(spec.segmentation, target, channels)


CLASSIFIED = Family(
    spec=ClassifiedSpec,
    restore=_restore,
    build_forward=_build_classified,
    readers=(READER,),
    signatures=SIGNATURES,
    numbers_per_pixel=_numbers_per_pixel,
)
POSITIVITY = Family(
    spec=MarkerPositivitySpec,
    restore=_restore,
    build_forward=_build_positivity,
    readers=(READER,),
    signatures=SIGNATURES,
    numbers_per_pixel=_numbers_per_pixel,
)
