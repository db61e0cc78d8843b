"""What a checkpoint says of its network, whatever its family: frozen, validated and serialisable."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ModelSpec", "SpecPart"]


class SpecPart(BaseModel):
    """A group of fields: frozen, and without unknown ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSpec(SpecPart, ABC):
    """All that is needed to rebuild a network and its forward, except for the weights. Each family adds its own fields.

    Attributes:
        family: name of the family in ``checkpoints.family.FAMILIES``.
        name: of the model, as the user knows it.
        targets: what is segmented, in the order of the label map's channels.
        channels: of the image; None where any number is taken.
        pixel_size: in micrometres, of the images that the network was trained on; None when unknown.
        settings: defaults of tunables that training found better than ours (name to value).
        source_datasets: names of the training data.
    """

    title: ClassVar[str]
    """Of the family, for people."""

    dimensions: ClassVar[int] = 2
    """Spatial axes of the image: 2 (H, W) or 3 (D, H, W)."""

    family: str
    name: str
    targets: tuple[str, ...] = Field(min_length=1)
    channels: int | None = Field(ge=1)
    pixel_size: float | None = Field(default=None, gt=0)
    settings: dict[str, float | int | bool | str | tuple[int, ...]] = Field(default_factory=dict)
    source_datasets: tuple[str, ...] = ()

    @property
    @abstractmethod
    def architecture(self) -> str:
        """The network in a few words, as in "U-Net 32 64 128 256, batch normalisation"."""

    @property
    @abstractmethod
    def tags(self) -> tuple[str, ...]:
        """Words under which a model zoo lists the model."""

    @property
    @abstractmethod
    def citations(self) -> tuple[tuple[str, str], ...]:
        """Text and DOI of each publication that describes the family."""
