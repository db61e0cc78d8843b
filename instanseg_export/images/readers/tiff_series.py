"""Which of the images in a TIFF file is the one: the largest, if there is no doubt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import ImageError
from ...untrusted.boundary import plain

__all__ = ["choose_series", "reduced_series"]

_BESIDE = ("thumbnail", "label", "macro", "map", "overview", "preview", "barcode")
"""Names of the pictures that slide scanners add."""

_SLIDES = ("svs", "ndpi", "scn", "qpi", "bif", "philips", "avs", "lsm")
"""Formats in which the other pictures are known to be previews."""

_CLEARLY_SMALLER = 0.3
"""Part of the largest image's area up to which another is taken for an overview or a level of its pyramid."""

_REDUCED, _MASK = 1, 4
"""NewSubfileType."""


def choose_series(path: Path, tif: Any, wanted: int | None = None) -> tuple[Any, int, list[str]]:
    """Return the series of pages that is the image, its place among all, and sentences about the others.

    Args:
        path: of the file, for messages.
        tif: a ``tifffile.TiffFile``.
        wanted: place of the series that is meant, from 0; None leaves the choice to the sizes.

    Raises:
        ImageError: there is none, or several of a similar size.
    """
    everything = list(enumerate(tif.series))
    if wanted is not None:
        if not 0 <= wanted < len(everything):
            raise ImageError(
                f"{path} has no image {wanted}: it holds {len(everything)}.", hint="Count them from 0, by their order."
            )
        return everything[wanted][1], wanted, []
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


def reduced_series(tif: Any, chosen: Any) -> Iterator[Any]:
    """Yield the series that are lower resolutions of the chosen one, the largest first.

    Those are the levels that tifffile recognises, which go down by one factor, and the other reduced pages of the same
    kind and aspect: scanners skip factors.
    """
    found = list(chosen.levels[1:])
    for series in tif.series:
        if series is not chosen and _reduced(series) and not _named_beside(series) and _same_picture(series, chosen):
            found += series.levels
    yield from sorted(found, key=lambda one: -_area(one))


def _same_picture(one: Any, chosen: Any) -> bool:
    """Tell whether a series can be a lower resolution: the same axes, and no other size but for rounding."""
    if (one.axes, one.dtype) != (chosen.axes, chosen.dtype) or not 0 < _area(one) < _area(chosen):
        return False
    tall, wide = (
        large / small for large, small in zip(chosen.keyframe.shaped[2:4], one.keyframe.shaped[2:4], strict=True)
    )
    rest = [size for axis, size in zip(one.axes, one.shape, strict=True) if axis not in "YXZ"]
    whole = [size for axis, size in zip(chosen.axes, chosen.shape, strict=True) if axis not in "YXZ"]
    off = max(tall / one.keyframe.shaped[2], wide / one.keyframe.shaped[3])
    return rest == whole and abs(tall - wide) <= off


def _area(series: Any) -> int:
    shaped = series.keyframe.shaped
    return int(shaped[2] * shaped[3])


def _beside(series: Any) -> bool:
    return _reduced(series) or _named_beside(series)


def _reduced(series: Any) -> bool:
    kind = series.keyframe.subfiletype
    return isinstance(kind, int) and bool(kind & (_REDUCED | _MASK))


def _named_beside(series: Any) -> bool:
    return str(series.name).strip().lower().removesuffix(" image") in _BESIDE
