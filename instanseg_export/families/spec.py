"""What a checkpoint says of its network, whatever its family: frozen, validated and serialisable."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ..limits import MAX_CHANNELS, MAX_LAYERS, MAX_NAME, MAX_NAMES, MAX_PIXEL_SIZE, MIN_PIXEL_SIZE
from ..metadata import STRUCTURES
from ..plain_text import plain

__all__ = ["Count", "Depth", "ModelSpec", "Name", "SpecPart", "findings", "first_finding"]

Count = Annotated[int, Field(ge=1, le=MAX_CHANNELS)]
"""Of channels, heads, hidden units and the like."""

Depth = Annotated[int, Field(ge=1, le=MAX_LAYERS)]
"""Of layers or blocks in a row."""

Name = Annotated[str, StringConstraints(max_length=MAX_NAME), AfterValidator(lambda text: plain(text, MAX_NAME))]
"""One line of text; what would do something to a terminal is left out."""


class SpecPart(BaseModel):
    """A group of fields: frozen, without unknown ones, and with finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def findings(error: ValidationError) -> str:
    """Return what is wrong, each with its place, as a part of a sentence."""
    found = error.errors(include_input=False, include_url=False)
    shown = [plain(f"{'.'.join(map(str, one['loc']))} {one['msg']}".strip(), 200).rstrip(".") for one in found[:5]]
    return "; ".join(shown) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")


def first_finding(error: ValidationError) -> str:
    """Return what is wrong first, with its place, as a part of a sentence."""
    found = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, found["loc"]))
    return plain(f"{place}: {found['msg']}" if place else found["msg"]).rstrip(".")


class ModelSpec(SpecPart, ABC):
    """All that is needed to rebuild a network and its forward, except for the weights. Each family adds its own fields.

    Attributes:
        family: name of the family in ``families.registry.FAMILIES``.
        name: of the model, as the user knows it.
        structures: what is segmented, in the order of the label map's channels.
        channels: of the image; None where any number is taken.
        pixel_size: in micrometres, of the images that the network was trained on; None when unknown.
        settings: defaults that training found better than ours (name to value).
        source_datasets: names of the training data.
    """

    title: ClassVar[str]
    """Of the family, for people."""

    dimensions: ClassVar[int] = 2
    """Spatial axes of the image: 2 (H, W) or 3 (D, H, W)."""

    family: str
    name: Name
    structures: tuple[Name, ...] = Field(validation_alias=STRUCTURES, min_length=1)
    channels: Count | None
    pixel_size: float | None = Field(default=None, ge=MIN_PIXEL_SIZE, le=MAX_PIXEL_SIZE)
    settings: dict[Name, float | int | bool | Name | tuple[int, ...]] = Field(
        default_factory=dict, max_length=MAX_NAMES
    )
    source_datasets: tuple[Name, ...] = Field(default=(), max_length=MAX_NAMES)

    @property
    @abstractmethod
    def architecture(self) -> str:
        """The network in a few words, as in "U-Net 32 64 128 256, batch normalisation"."""

    @property
    def limits(self) -> tuple[str, ...]:
        """What the family cannot do, one sentence each in Markdown, for the documents of a package."""
        return ()

    @property
    @abstractmethod
    def tags(self) -> tuple[str, ...]:
        """Words under which a model zoo lists the model."""

    @property
    @abstractmethod
    def citations(self) -> tuple[tuple[str, str], ...]:
        """Text and DOI of each publication that describes the family."""
