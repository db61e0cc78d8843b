"""What the sinks take: final objects, one at a time, and the facts that hold for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..box import Box

__all__ = ["Frame", "ObjectRecord", "Part"]


@dataclass(frozen=True)
class Part:
    """An object in one structure.

    Attributes:
        box: the smallest around it, in pixels of the plane.
        size: its pixels or voxels.
        centroid: (z,) y, x in pixels of the plane, from the outer corner of the first one: its centre is at 0.5.
        means: of each of the frame's channels, in the image's own units; NaN where there is none.
        mask: its pixels within the box; may be None in volumes, whose objects have no outlines.
    """

    box: Box
    size: int
    centroid: tuple[float, ...]
    means: tuple[float, ...]
    mask: npt.NDArray[np.bool_] | None


@dataclass(frozen=True)
class ObjectRecord:
    """A final object.

    Attributes:
        label: its id in the label map, from 1.
        parts: for each of the frame's structures its part, or None. Where structures are not paired, an object has one
            part; a nucleus and its cell are one object with two.
        class_number: place of its class among the frame's classes; None if it has none.
        further: what else the model says of it, by the names of the frame's columns; what is missing is empty.
    """

    label: int
    parts: tuple[Part | None, ...]
    class_number: int | None = None
    further: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Frame:
    """The plane that was segmented, and where it lies in the slide; axes are (z,) y, x.

    Attributes:
        shape: of the plane, in its pixels.
        structures: names, in the order of the label map's.
        identity: a hash of image, model and settings: the same objects get the same ids again, and others other ones.
        source: name of the slide, for people.
        factor: how many pixels of the slide's level 0 one pixel of the plane is wide.
        offset: of the plane's outer corner, in pixels of level 0.
        spacing: edges of a pixel of the plane, in micrometres; None where one is unknown.
        channels: names of those whose means the objects carry.
        paired: whether one id means one cell in both structures, nuclei and cells.
        classes: names; empty for models without.
        columns: names of further columns and the type of their values, ``float`` or ``str``.
    """

    shape: tuple[int, ...]
    structures: tuple[str, ...]
    identity: str
    source: str
    factor: tuple[float, ...]
    offset: tuple[float, ...]
    spacing: tuple[float, ...] | None = None
    channels: tuple[str, ...] = ()
    paired: bool = False
    classes: tuple[str, ...] = ()
    columns: Mapping[str, type[float] | type[str]] = field(default_factory=dict)

    @property
    def volume(self) -> bool:
        """Whether it has depth."""
        return len(self.shape) == 3

    @property
    def whole(self) -> bool:
        """Whether corners of the plane's pixels lie at whole pixels of level 0."""
        return all(factor == 1 for factor in self.factor) and all(float(one).is_integer() for one in self.offset)

    @property
    def edges(self) -> tuple[float, ...] | None:
        """Return the edges of a pixel of level 0, in micrometres; None where one is unknown."""
        if self.spacing is None:
            return None
        return tuple(edge / factor for edge, factor in zip(self.spacing, self.factor, strict=True))

    def in_slide(self, places: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Bring places (..., D) from pixels of the plane to pixels of level 0."""
        return places * np.asarray(self.factor, dtype=np.float64) + np.asarray(self.offset, dtype=np.float64)
