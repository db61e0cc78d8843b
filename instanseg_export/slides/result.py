"""What segmenting a slide gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..images.image import PixelSize

__all__ = ["SlideResult"]


@dataclass(frozen=True)
class SlideResult:
    """What was done with one slide.

    Attributes:
        model: what was given.
        slide: its path or name.
        folder: with the results.
        written: the files and folders of results.
        counts: of each structure, how many objects were found.
        plane: shape of what was segmented, in pixels of the model.
        pixel_size: (y, x) of the plane in micrometres; None if unknown.
        tiles: how many there were.
        failed: index and reason of those without a result.
        reused: how many an earlier run had finished.
        runtime: what ran the model.
        notes: one sentence for each thing that was assumed, decided or left out.
        seconds: that all of it took.
    """

    model: Path
    slide: str
    folder: Path
    written: tuple[Path, ...]
    counts: Mapping[str, int]
    plane: tuple[int, ...]
    pixel_size: PixelSize | None
    tiles: int
    failed: Mapping[int, str]
    reused: int
    runtime: str
    notes: tuple[str, ...]
    seconds: float
