"""Families of networks: what turns a description and named tensors into a checkpoint, in a registry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ..registry import Registry
from .base import Checkpoint
from .spec import ModelSpec

__all__ = ["FAMILIES", "Family"]


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
        "instanseg": "instanseg_export.checkpoints.instanseg:FAMILY",
        "embedseg": "instanseg_export.checkpoints.embedseg:FAMILY",
        "embedseg_3d": "instanseg_export.checkpoints.embedseg:FAMILY_3D",
        "iaunet": "instanseg_export.checkpoints.iaunet:FAMILY",
        "classified": "instanseg_export.checkpoints.two_stage:CLASSIFIED",
        "positivity": "instanseg_export.checkpoints.two_stage:POSITIVITY",
    },
)
