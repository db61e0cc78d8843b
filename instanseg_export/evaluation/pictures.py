"""The worst images, with outlines of what was found, what was missed and what is false."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..images.image import Array
from ..images.writers.overlay import overlay
from ..images.writers.panels import outlined, png_text, telling_window
from .metrics import match, overlaps

__all__ = ["COLOURS", "LEGEND", "Picture", "Worst", "draw"]

Labels = npt.NDArray[np.int64]

COLOURS = {"found": (40, 200, 120), "missed": (40, 150, 255), "false": (255, 150, 30)}
"""Of outlines, told apart by colour-blind readers too."""

LEGEND = (
    "Outlines are green where an object is found, blue where one is missed, and orange where what is found is false."
)
"""The colours in words, where there is no room for a key."""

_SIDE = 256
"""Pixels of a picture along each axis, at most."""


@dataclass(frozen=True)
class Worst:
    """An image to draw.

    Attributes:
        place: of it.
        structure: place of the structure whose objects are drawn.
        caption: over the pictures.
    """

    place: int
    structure: int
    caption: str


@dataclass(frozen=True)
class Picture:
    """Pictures of one image.

    Attributes:
        caption: over them.
        panels: title of each, and its PNG in base64.
    """

    caption: str
    panels: tuple[tuple[str, str], ...]


def draw(
    worst: Sequence[Worst], load: Callable[[int], tuple[Array, Labels, Labels]], threshold: float
) -> list[Picture]:
    """Draw images.

    Args:
        worst: which ones.
        load: returns pixels (C, [D,] H, W), found and true labels (T, [D,] H, W) of an image's place.
        threshold: smallest IoU of a match.
    """
    pictures = []
    for one in worst:
        image, found, truth = load(one.place)
        hits, missed, false = _split(found[one.structure], truth[one.structure], threshold)
        wrong = (missed > 0) | (false > 0)
        window = telling_window(wrong if wrong.any() else truth[one.structure] > 0, _SIDE)
        cut = image[:, *window]
        layers = [
            (hits[*window], COLOURS["found"]),
            (missed[*window], COLOURS["missed"]),
            (false[*window], COLOURS["false"]),
        ]
        plain = overlay(cut, np.zeros(cut.shape[1:], dtype=np.int64))
        lined = png_text(outlined(cut, layers), keep=tuple(COLOURS.values()))
        pictures.append(Picture(one.caption, (("image", png_text(plain)), ("found, missed and false", lined))))
    return pictures


def _split(found: Labels, truth: Labels, threshold: float) -> tuple[Labels, Labels, Labels]:
    """Return label maps of the found objects that match, the true ones that are missed and the found ones that do not
    match."""
    pairs = overlaps(found, truth)
    chosen = match(pairs, threshold)
    hit = np.isin(found, pairs.first_ids[pairs.first[chosen]])
    known = np.isin(truth, pairs.second_ids[pairs.second[chosen]])
    return np.where(hit, found, 0), np.where(known, 0, truth), np.where(hit, 0, found)
