"""Sample pictures of a training: what the network finds now, beside what is true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ...images import fullest_slice, overlay
from ..data.dataset import AnnotatedImage
from .validation import Shown

__all__ = ["choose_samples", "draw_samples"]

_SIDE = 256


def choose_samples(images: Sequence[AnnotatedImage], count: int) -> list[int]:
    """Return places of images, as evenly as possible from all types: first one of each, then a second."""
    turn: dict[str, int] = {}
    order = []
    for place, image in enumerate(images):
        turn[image.kind] = turn.get(image.kind, 0) + 1
        order.append((turn[image.kind], place))
    return sorted(place for _, place in sorted(order)[:count])


def draw_samples(images: Sequence[Shown], places: Sequence[int]) -> Image.Image:
    """Draw a row per image: the image, the truth, and what was found; of a volume, the slice with most of the truth."""
    picture = Image.new("RGB", (3 * _SIDE + 20, max(1, len(places)) * (_SIDE + 10)), "white")
    for row, place in enumerate(places):
        image = images[place]
        window: tuple[Any, ...] = slice(None), slice(0, _SIDE), slice(0, _SIDE)
        if image.truth.ndim == 4:
            window = window[0], fullest_slice(image.truth), *window[1:]
        for column, shown in enumerate((np.zeros_like(image.found), image.truth, image.found)):
            panel = Image.fromarray(overlay(image.pixels[window], shown[window]))
            picture.paste(panel, (column * (_SIDE + 10), row * (_SIDE + 10)))
    return picture
