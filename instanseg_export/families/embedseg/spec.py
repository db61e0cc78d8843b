"""What a checkpoint says of an EmbedSeg network."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ...limits import MAX_GRID, MAX_PIXEL_SIZE, MIN_PIXEL_SIZE
from ...metadata import STRUCTURES
from ..spec import Count, ModelSpec, Name

__all__ = ["WIDTHS", "EmbedSeg3DSpec", "EmbedSegSpec"]

_PAPER = (
    "Lalit, M., Tomancak, P. and Jug, F. (2022) EmbedSeg: embedding-based instance segmentation for biomedical "
    "microscopy data. Medical Image Analysis 81, 102523.",
    "10.1016/j.media.2022.102523",
)


WIDTHS = (16, 64, 128)
"""As published (Romera et al. 2017, table I)."""


class EmbedSegSpec(ModelSpec):
    """All that is needed to rebuild an EmbedSeg network and its forward, except for the weights.

    Attributes:
        channels: of the image.
        grid: pixels of the coordinate grid along x and y (and z): the size of the largest image that EmbedSeg expected.
        extent: how far the grid reaches along each axis. A pixel is extent / (grid - 1) wide.
        widths: channels of the maps of a half, a quarter and an eighth of the image's size. EmbedSeg's own networks
            have the default.
    """

    title: ClassVar[str] = "EmbedSeg"

    family: Literal["embedseg", "embedseg_3d"] = "embedseg"
    structures: tuple[Name, ...] = Field(default=("objects",), validation_alias=STRUCTURES, min_length=1, max_length=1)
    channels: Count
    grid: tuple[Annotated[int, Field(le=MAX_GRID)], ...]
    extent: tuple[Annotated[float, Field(gt=0, le=MAX_GRID)], ...]
    widths: tuple[Count, Count, Count] = WIDTHS

    @property
    def architecture(self) -> str:
        name = "BranchedERFNet" if self.dimensions == 2 else "BranchedERFNet in 3D"
        return name if self.widths == WIDTHS else f"{name}, {' '.join(map(str, self.widths))} channels"

    @property
    def tags(self) -> tuple[str, ...]:
        return ("embedseg", "instance-segmentation", f"{self.dimensions}d")

    @property
    def citations(self) -> tuple[tuple[str, str], ...]:
        return (_PAPER,)

    @model_validator(mode="after")
    def _grid_fits(self) -> EmbedSegSpec:
        if not len(self.grid) == len(self.extent) == self.dimensions:
            raise ValueError(f"grid and extent need a number for each of {self.dimensions} axes")
        if min(self.grid) < 2:
            raise ValueError(f"the grid {self.grid} over {self.extent} has no pixels")
        if not self.channels < self.widths[0] < self.widths[1] < self.widths[2]:
            raise ValueError(f"widths {list(self.widths)} have to rise, from more than the image's {self.channels}")
        return self


class EmbedSeg3DSpec(EmbedSegSpec):
    """The same for volumes.

    Attributes:
        slice_distance: in micrometres, of the slices that the network was trained on; None when unknown.
    """

    title: ClassVar[str] = "EmbedSeg 3D"
    dimensions: ClassVar[int] = 3

    family: Literal["embedseg_3d"] = "embedseg_3d"
    slice_distance: float | None = Field(default=None, ge=MIN_PIXEL_SIZE, le=MAX_PIXEL_SIZE)
