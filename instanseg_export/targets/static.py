"""What files of a fixed capacity take: images of one size, and so many seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ExportError, SettingError
from ..metadata import INCOMPLETE, SEED_COUNT, OutputFacts

if TYPE_CHECKING:
    from ..families.base import SegmentationForward

__all__ = ["LIMIT_OUTPUTS", "StaticShape"]

LIMIT_OUTPUTS = (OutputFacts(name=SEED_COUNT, role="other"), OutputFacts(name=INCOMPLETE, role="other"))
"""What such files give beside the label map."""

_LARGEST_SIDE, _MOST_SEEDS = 2048, 8192
"""Of pixels and seeds; larger images are cut into tiles."""


@dataclass(frozen=True)
class StaticShape:
    """What the files of formats without dynamic shapes are made for.

    Attributes:
        height, width: of the image, in pixels.
        seeds: how many there is room for, over all structures.
        channels: of the image, for networks that take any number; None for those that do not.

    Raises:
        SettingError: one of them is out of range.
    """

    height: int = 512
    width: int = 512
    seeds: int = 1024
    channels: int | None = None

    def __post_init__(self) -> None:
        sides = (self.height, self.width)
        if not all(1 <= side <= _LARGEST_SIDE for side in sides):
            raise SettingError(
                f"A static size of {self.height} x {self.width} is out of range.",
                hint=f"Give height and width from 1 to {_LARGEST_SIDE:,}, as in --static-size 512 512.",
            )
        if not 1 <= self.seeds <= _MOST_SEEDS:
            raise SettingError(
                f"Room for {self.seeds:,} seeds is out of range.",
                hint=f"Give --static-seeds from 1 to {_MOST_SEEDS:,}; the default is 1,024 for 512 x 512 pixels.",
            )

    def image_shape(self, forward: SegmentationForward) -> tuple[int, ...]:
        """Return (1, C, H, W).

        Raises:
            ExportError: the network takes volumes.
            SettingError: the network takes another number of channels, or takes any number and nobody says how many
                it shall be.
        """
        if forward.dimensions == 3:
            raise ExportError(
                "Formats of fixed sizes cannot be written for networks that take volumes.",
                hint="Leave them out of --targets: torchscript and onnx take every network.",
            )
        if forward.channels and self.channels not in (None, forward.channels):
            raise SettingError(
                f"This network takes {forward.channels} channels, not {self.channels}.",
                hint="Leave --static-channels out: it is for networks that take any number.",
            )
        channels = forward.channels or self.channels
        if channels is None:
            raise SettingError(
                "This network takes images of any number of channels, and a static format has to fix it.",
                hint="Say how many your images have, as in --static-channels 2.",
            )
        return 1, channels, self.height, self.width
