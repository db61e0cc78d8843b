"""What the files of a package are made of: collected once, read by each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import PackageError

if TYPE_CHECKING:
    from ..families.base import SegmentationForward
    from ..families.checkpoint import Checkpoint
    from ..metadata import SettingRow
    from ..targets.base import Artifact
    from .card import Card
    from .samples import Sample

__all__ = ["WEIGHTS", "Contents", "require_weights"]

WEIGHTS = ("torchscript", "onnx")
"""Targets that a BioImage.IO model knows as weights; others are attachments."""


def require_weights(targets: Sequence[str]) -> None:
    """Check that files of these targets make a model of the zoo.

    Raises:
        PackageError: none of them is of a format that the zoo knows.
    """
    if not any(target in WEIGHTS for target in targets):
        raise PackageError(
            f"A BioImage.IO model needs TorchScript or ONNX weights, but there are {', '.join(targets) or 'none'}.",
            hint="Add torchscript or onnx to --targets.",
        )


@dataclass(frozen=True)
class Contents:
    """A model on its way into a package.

    Attributes:
        card: for people.
        checkpoint: that was exported.
        forward: that was exported.
        artifacts: the exported files.
        samples: at least one image.
    """

    card: Card
    checkpoint: Checkpoint
    forward: SegmentationForward
    artifacts: Sequence[Artifact]
    samples: Sequence[Sample]

    @property
    def pixel_size(self) -> float | None:
        """In micrometres: the card's, else the checkpoint's."""
        return self.card.pixel_size or self.checkpoint.spec.pixel_size

    @property
    def slice_distance(self) -> float | None:
        """In micrometres, of a model that takes volumes; None when unknown."""
        distance: float | None = getattr(self.checkpoint.spec, "slice_distance", None)
        return distance

    @property
    def channel_names(self) -> list[str] | None:
        """Of the input: the card's, else numbered ones; None where the model takes any number of channels."""
        channels = self.checkpoint.spec.channels
        if channels is None:
            return None
        return list(self.card.channel_names or (f"channel_{number + 1}" for number in range(channels)))

    @property
    def structures(self) -> list[str]:
        """Names of the output's channels: the network's structures that were chosen at export."""
        names = self.checkpoint.spec.structures
        baked = self.forward.baked
        flags = next((baked[setting.name] for setting in self.forward.settings if setting.kind == "flags"), None)
        if len(names) == 1 or not isinstance(flags, tuple):
            return list(names)
        return [name for name, flag in zip(names, flags, strict=False) if flag]

    @property
    def baked(self) -> dict[str, float | int | bool | str | list[int]]:
        """Name and baked value of each setting, as YAML and JSON know them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self.forward.baked.items()}

    @property
    def setting_rows(self) -> list[SettingRow]:
        """What each setting means and which values it takes."""
        return [setting.describe() for setting in self.forward.settings]

    @property
    def network_only(self) -> list[str]:
        """Names of the files that hold the network alone."""
        from ..targets import known_target

        targets = [(artifact, known_target(artifact.target)) for artifact in self.artifacts]
        return [artifact.path.name for artifact, target in targets if target is not None and not target.whole]

    def file_of(self, target: str) -> str | None:
        """Return the name of a target's file, or None if it was not exported."""
        return next((artifact.path.name for artifact in self.artifacts if artifact.target == target), None)
