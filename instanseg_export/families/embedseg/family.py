"""The families of EmbedSeg networks, for images and for volumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..checkpoint import Checkpoint
from ..family import Family
from ..spec_family import restore_by_spec
from .build import OVERRIDES, build_network
from .memory import numbers_per_pixel
from .reader import READER, RUN_FILES
from .settings import PERCENTILES
from .spec import EmbedSeg3DSpec, EmbedSegSpec
from .weights import SIGNATURES

if TYPE_CHECKING:
    from ..base import SegmentationForward

__all__ = ["FAMILY", "FAMILY_3D"]


def _build_forward(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> SegmentationForward:
    from .forward import build

    return build(checkpoint, settings)


def _family(spec: type[EmbedSegSpec]) -> Family:
    return Family(
        spec=spec,
        restore=restore_by_spec(build_network, OVERRIDES[spec]),
        build_forward=_build_forward,
        readers=(READER,),
        run_files=RUN_FILES,
        signatures=SIGNATURES,
        percentiles=PERCENTILES,
        numbers_per_pixel=numbers_per_pixel,
    )


FAMILY = _family(EmbedSegSpec)
FAMILY_3D = _family(EmbedSeg3DSpec)
