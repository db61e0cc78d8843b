"""The family of InstanSeg networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..checkpoint import Checkpoint
from ..family import Family, ForeignFiles
from ..spec import ModelSpec
from . import reader as training_run
from . import upstream_file
from .build import build
from .describe import facts_of, parse_overrides
from .memory import numbers_per_pixel
from .settings import INSTANSEG_SETTINGS
from .spec import InstanSegSpec
from .weights import SIGNATURES, canonical_weights

if TYPE_CHECKING:
    from ..base import SegmentationForward

__all__ = ["FAMILY"]


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
    """See :class:`.Restore`. What the weights show is compared with what the description says."""
    known = cast(InstanSegSpec, spec)
    facts = facts_of(known, f"The description in {path}")
    if folded:
        # The weights tell which norm is left.
        facts = {name: fact for name, fact in facts.items() if name not in ("norm", "backbone")}
    return build(
        canonical_weights(state, path),
        {**facts, **parse_overrides(overrides)},
        path,
        sha256=sha256,
        reader=reader,
        settings=known.settings,
    )


def _build_forward(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> SegmentationForward:
    from .prepare import build

    return build(checkpoint, settings)


FAMILY = Family(
    spec=InstanSegSpec,
    restore=_restore,
    build_forward=_build_forward,
    readers=(upstream_file.READER, training_run.READER),
    run_files=(training_run.WEIGHTS_FILE,),
    signatures=SIGNATURES,
    foreign=ForeignFiles(upstream_file.is_upstream_file, INSTANSEG_SETTINGS),
    numbers_per_pixel=numbers_per_pixel,
)
