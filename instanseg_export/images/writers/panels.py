"""Small pictures for reports: the telling part of an image, with outlines, as text that a page holds."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..image import Array
from .overlay import inner_edge, overlay

__all__ = ["Rgb", "outlined", "png_text", "telling_window"]

Rgb = npt.NDArray[np.uint8]

_PALETTE = 128


def telling_window(interesting: npt.NDArray[np.bool_], side: int) -> tuple[slice | int, ...]:
    """Return the part of the image to show: the whole, or a square around the middle of what is interesting.

    Args:
        interesting: (H, W). Of a volume (D, H, W), the part is one of the slice with most of it.
        side: of the square, in pixels.
    """
    if interesting.ndim == 3:
        place = int(interesting.sum(axis=(1, 2)).argmax())
        return (place, *telling_window(interesting[place], side))
    slices = []
    for axis in (0, 1):
        size = interesting.shape[axis]
        places = np.flatnonzero(interesting.any(axis=1 - axis))
        middle = int(np.median(places)) if places.size else size // 2
        start = max(0, min(middle - side // 2, size - side))
        slices.append(slice(start, min(start + side, size)))
    return tuple(slices)


def outlined(image: Array, layers: Sequence[tuple[Array, tuple[int, int, int]]]) -> Rgb:
    """Draw the outlines of objects on a picture of an image, each layer in one colour, later ones on top.

    Args:
        image: (C, H, W), any type.
        layers: label maps (H, W), and the colour of their outlines.
    """
    picture: Rgb = overlay(image, np.zeros(image.shape[1:], dtype=np.int64))
    for labels, colour in layers:
        picture[inner_edge(labels)] = colour
    return picture


def png_text(pixels: Rgb, *, keep: Sequence[tuple[int, int, int]] = ()) -> str:
    """Return a picture in 128 colours as PNG in base64.

    Args:
        pixels: (H, W, 3).
        keep: colours that stay as they are, where thin outlines would fade among the others.
    """
    from PIL import Image

    kept = [(pixels == np.array(colour)).all(axis=-1) for colour in keep]
    rest = pixels.copy()
    for mask in kept:
        rest[mask] = 0
    free = _PALETTE - len(keep)
    picture = Image.fromarray(rest).quantize(free)
    if keep:
        indices = np.array(picture)
        for place, mask in enumerate(kept, start=free):
            indices[mask] = place
        chosen = (picture.getpalette() or [])[: 3 * free]
        padding = [0] * (3 * free - len(chosen))
        picture = Image.fromarray(indices)
        picture.putpalette([*chosen, *padding, *(value for colour in keep for value in colour)])
    stream = io.BytesIO()
    picture.save(stream, "png", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")
