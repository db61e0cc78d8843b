"""Families of networks: what turns a description and named tensors into a checkpoint, in a registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..registry import Registry
from .checkpoint import Checkpoint
from .spec import ModelSpec

if TYPE_CHECKING:
    from .base import SegmentationForward

__all__ = ["FAMILIES", "FORWARDS", "Family", "build_forward"]


class Family(Protocol):
    """A kind of network. Members of :data:`FAMILIES`; a description names its own in ``family``."""

    @property
    def spec(self) -> type[ModelSpec]:
        """The class of its descriptions."""
        ...

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
        """Build the network of a description and fill it with weights that this package wrote.

        Args:
            spec: of this family.
            state: name to tensor, as :func:`.save_checkpoint` or an export left them; batch norms may be folded.
            overrides: ``--spec key=value`` of the command line.
            path: of the file, for messages.
            sha256: of its bytes.
            reader: the name of the calling reader.

        Raises:
            SpecError: an override is unknown or malformed, or contradicts the weights.
            CheckpointError: the weights do not fit.
        """
        ...


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

FORWARDS: Registry[Callable[[Checkpoint, Mapping[str, Any]], SegmentationForward]] = Registry(
    "family",
    "instanseg_export.forwards",
    {
        "instanseg": "instanseg_export.families.instanseg.forward:build",
        "embedseg": "instanseg_export.families.embedseg.forward:build",
        "embedseg_3d": "instanseg_export.families.embedseg.forward:build",
        "iaunet": "instanseg_export.families.iaunet.forward:build",
        "classified": "instanseg_export.families.two_stage.forward:build_classified",
        "positivity": "instanseg_export.families.two_stage.forward:build_positivity",
    },
)
"""What builds the forward of each family of ``families.registry.FAMILIES``."""


def build_forward(checkpoint: Checkpoint, settings: Mapping[str, Any] | None = None) -> SegmentationForward:
    """Join a checkpoint's network with the stages of its family.

    Args:
        checkpoint: of :func:`instanseg_export.load_checkpoint`.
        settings: values of tunables to bake in (see ``families/settings.py``); they win over those that the checkpoint
            brings, which win over the defaults.

    Returns:
        An ``nn.Module`` in eval mode; ``forward(image, args=None)`` maps (B, C, H, W) float32 to labels (B, T, H, W)
        float32; see :class:`.base.SegmentationForward`.

    Raises:
        SettingError: a setting has an unknown name or an unfit value.
    """
    return FORWARDS.get(checkpoint.spec.family)(checkpoint, settings or {})
