"""Which of the images in a TIFF file is the one: the largest, if there is no doubt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import ImageError
from ...untrusted.boundary import plain

__all__ = ["choose_series"]

_BESIDE = ("thumbnail", "label", "macro", "map", "overview", "preview", "barcode")
"""Names of the pictures that slide scanners add."""

_SLIDES = ("svs", "ndpi", "scn", "qpi", "bif", "philips", "avs", "lsm")
"""Formats in which the other pictures are known to be previews."""

_CLEARLY_SMALLER = 0.3
"""Part of the largest image's area up to which another is taken for an overview or a level of its pyramid."""

_REDUCED, _MASK = 1, 4
"""NewSubfileType."""


def choose_series(path: Path, tif: Any) -> tuple[Any, int, list[str]]:
    """Return the series of pages that is the image, its place among all, and sentences about the others.

    Raises:
        ImageError: there is none, or several of a similar size.
    """
    everything = list(enumerate(tif.series))
    series = [(place, one) for place, one in everything if 0 not in one.shape and _area(one)]
    main = [(place, one) for place, one in series if not _beside(one)] or series
    if not main:
        raise ImageError(f"{path} holds no image.", hint="Export it again.")
    main.sort(key=lambda entry: -_area(entry[1]))  # stable: the first of equals
    place, chosen = main[0]
    size = chosen.keyframe.shaped[2:4]
    same = sum(one.keyframe.shaped[2:4] == size for _, one in main)
    if same > 1:
        raise ImageError(f"{path} holds {same} images of one size.", hint="Save the one that you mean alone.")
    similar = sum(_area(one) > _CLEARLY_SMALLER * _area(chosen) for _, one in main)
    if similar > 1:
        sizes = ", ".join(" x ".join(map(str, one.keyframe.shaped[2:4])) for _, one in main[:4])
        raise ImageError(
            f"{path} holds {similar} images of similar sizes ({sizes}).", hint="Save the one that you mean alone."
        )
    notes = []
    if len(series) > 1 and chosen.kind not in _SLIDES:
        name = f", {plain(chosen.name, 60)}," if chosen.name else ""
        notes.append(
            f"{path.name} holds {len(series)} images: the largest{name} of {size[0]} x {size[1]} pixels was taken."
        )
    return chosen, place, notes


def _area(series: Any) -> int:
    shaped = series.keyframe.shaped
    return int(shaped[2] * shaped[3])


def _beside(series: Any) -> bool:
    kind = series.keyframe.subfiletype
    reduced = isinstance(kind, int) and bool(kind & (_REDUCED | _MASK))
    return reduced or str(series.name).strip().lower().removesuffix(" image") in _BESIDE
