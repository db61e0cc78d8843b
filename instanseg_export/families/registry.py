"""The registry of families, and what asks the family of a checkpoint or file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..registry import Registry
from .checkpoint import Checkpoint
from .family import Family
from .settings import Setting

if TYPE_CHECKING:
    from .base import SegmentationForward

__all__ = ["FAMILIES", "build_forward", "foreign_settings"]

FAMILIES: Registry[Family] = Registry(
    "family",
    "instanseg_export.families",
    {
        "instanseg": "instanseg_export.families.instanseg.family:FAMILY",
        "embedseg": "instanseg_export.families.embedseg.family:FAMILY",
        "embedseg_3d": "instanseg_export.families.embedseg.family:FAMILY_3D",
        "iaunet": "instanseg_export.families.iaunet.family:FAMILY",
        "classified": "instanseg_export.families.two_stage.family:CLASSIFIED",
        "positivity": "instanseg_export.families.two_stage.family:POSITIVITY",
    },
)


def build_forward(checkpoint: Checkpoint, settings: Mapping[str, Any] | None = None) -> SegmentationForward:
    """Join a checkpoint's network with the stages of its family.

    Args:
        checkpoint: of :func:`instanseg_export.load_checkpoint`.
        settings: values to bake in, by name (see ``families/settings.py``); they win over those that the checkpoint
            brings, which win over the defaults.

    Returns:
        An ``nn.Module`` in eval mode; ``forward(image, args=None)`` maps (B, C, H, W) float32 to labels (B, T, H, W)
        float32; see :class:`.base.SegmentationForward`.

    Raises:
        SettingError: a setting has an unknown name or an unfit value.
    """
    return FAMILIES.get(checkpoint.spec.family).build_forward(checkpoint, settings or {})


def foreign_settings(path: Path) -> tuple[Setting, ...]:
    """Return what can be set in an exported file that says nothing of itself; nothing where no family knows it."""
    claims = (family.foreign for family in FAMILIES)
    return next((claim.settings for claim in claims if claim is not None and claim.recognises(path)), ())
