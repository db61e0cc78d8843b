"""Forwards: network and stages joined to one module, image in and label map out. One file per family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..registry import Registry

if TYPE_CHECKING:
    from ..checkpoints.base import Checkpoint
    from .base import Forward

__all__ = ["FORWARDS", "build_forward"]

FORWARDS: Registry[Callable[[Checkpoint, Mapping[str, Any]], Forward]] = Registry(
    "family",
    "instanseg_export.forwards",
    {
        "instanseg": "instanseg_export.forwards.instanseg:build",
        "embedseg": "instanseg_export.forwards.embedseg:build",
        "embedseg_3d": "instanseg_export.forwards.embedseg:build",
        "iaunet": "instanseg_export.forwards.iaunet:build",
        "classified": "instanseg_export.forwards.two_stage:build_classified",
        "positivity": "instanseg_export.forwards.two_stage:build_positivity",
    },
)
"""What builds the forward of each family of ``checkpoints.family.FAMILIES``."""


def build_forward(checkpoint: Checkpoint, settings: Mapping[str, Any] | None = None) -> Forward:
    """Join a checkpoint's network with the stages of its family.

    Args:
        checkpoint: of :func:`instanseg_export.load_checkpoint`.
        settings: values of tunables to bake in (see ``forwards/tunables.py``); they win over those that the checkpoint
            brings, which win over the defaults.

    Returns:
        An ``nn.Module`` in eval mode; ``forward(image, args=None)`` maps (B, C, H, W) float32 to labels (B, T, H, W)
        float32; see :class:`.base.Forward`.

    Raises:
        SettingError: a setting has an unknown name or an unfit value.
    """
    return FORWARDS.get(checkpoint.spec.family)(checkpoint, settings or {})
