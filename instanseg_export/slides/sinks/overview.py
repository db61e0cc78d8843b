"""One picture of the whole plane: the slide, and beside it how densely objects lie in it."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ...files import staged_file
from ...images import overlay
from ...images.image import Array
from .density import Density
from .record import Frame

__all__ = ["LARGEST", "draw_overview", "write_overview"]

LARGEST = 2048
"""Width and height that the picture does not exceed."""

_INK, _PAPER = (30, 30, 30), (255, 255, 255)
_EDGE, _TITLE, _LINE, _BAR, _TICKS = 20, 40, 26, 18, 90
_ENLARGED = 4
"""How many pixels of the picture a pixel of the plane gets at most."""

_COLOURS = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], dtype=np.float64)
"""Of the scale, from few to many: evenly spaced to the eye, also for colour-blind readers (viridis, CC0)."""


def write_overview(path: Path, density: Density, frame: Frame, thumbnail: Array | None = None) -> None:
    """Write the picture of :func:`draw_overview` as PNG.

    Args:
        path: of the new file.
        density: of the objects.
        frame: the plane.
        thumbnail: of the plane.

    Raises:
        OutputError: the file exists, cannot be written, or the disk is full.
    """
    picture = draw_overview(density, frame, thumbnail)
    with staged_file(path) as place:
        picture.save(place, format="PNG")


def draw_overview(density: Density, frame: Frame, thumbnail: Array | None = None) -> Image.Image:
    """Return the picture: the plane, and beside it a map of the density of each kind of objects with its scale.

    Args:
        density: of the objects.
        frame: the plane.
        thumbnail: of the plane, all of it, (C, h, w) of any size and type, stretched as in the overlay of ``run``; None
            for a plain background.

    Returns:
        At most :data:`LARGEST` pixels wide and high.
    """
    height, width = frame.shape[-2:]
    panels = len(density.names) + 1
    across = (LARGEST - (panels + 1) * _EDGE - len(density.names) * (_BAR + _TICKS)) // panels
    scale = min(across / width, (LARGEST - 2 * _EDGE - _TITLE - _LINE) / height, _ENLARGED)
    size = max(1, int(width * scale)), max(1, int(height * scale))
    panel = max(size[0], 200)  # so that titles have room above planes that are high and narrow
    plane = _background(thumbnail, size)
    whole = (
        _EDGE + panels * (panel + _EDGE) + len(density.names) * (_BAR + _TICKS),
        2 * _EDGE + _TITLE + _LINE + max(size[1], 120),
    )
    picture = Image.new("RGB", (min(whole[0], LARGEST), min(whole[1], LARGEST)), _PAPER)
    draw = ImageDraw.Draw(picture)
    top = _EDGE + _TITLE
    square = density.edge if frame.spacing is None else density.edge * frame.spacing[-1]
    unit = "pixels" if frame.spacing is None else "micrometres"
    depth = ", over the whole depth" if frame.volume else ""
    words = f"{frame.source}: objects {density.unit}, in squares of {square:.4g} {unit}{depth}"
    draw.text((_EDGE, _EDGE), _fitting(words, whole[0] - 2 * _EDGE, 20), fill=_INK, font=_font(20))
    draw.text((_EDGE, top), f"{width:,} x {height:,} pixels", fill=_INK, font=_font(16))
    picture.paste(plane, (_EDGE, top + _LINE))
    left = 2 * _EDGE + panel
    for name, values, counts in zip(density.names, density.per_area(), density.counts, strict=True):
        most = float(values.max(initial=0.0))
        title = _fitting(f"{int(counts.sum()):,} {name}", panel, 16)
        draw.text((left, top), title, fill=_INK, font=_font(16))
        picture.paste(_mapped(values, counts, most, plane, density.edge * scale), (left, top + _LINE))
        _draw_scale(draw, (left + panel + _EDGE // 2, top + _LINE), max(size[1], 120), most)
        left += panel + _EDGE + _BAR + _TICKS
    return picture


def _background(thumbnail: Array | None, size: tuple[int, int]) -> Image.Image:
    if thumbnail is None:
        return Image.new("RGB", size, (225, 225, 225))
    seen = overlay(thumbnail, np.zeros((1, *thumbnail.shape[1:]), dtype=np.uint8))
    return Image.fromarray(seen).resize(size, Image.Resampling.LANCZOS)


def _colours(share: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Return the colours (..., 3) of values from 0 to 1."""
    steps = np.linspace(0, 1, len(_COLOURS))
    return np.stack([np.interp(share, steps, channel) for channel in _COLOURS.T], axis=-1).round().astype(np.uint8)


def _mapped(
    values: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], most: float, plane: Image.Image, edge: float
) -> Image.Image:
    """Return the plane in grey with its squares coloured where there are objects; the last of them may be cut."""
    y, x = (
        np.minimum((np.arange(length) + 0.5) / edge, last - 1).astype(int)
        for length, last in zip(plane.size[::-1], values.shape, strict=True)
    )
    colours = _colours(values / (most or 1.0))[y][:, x]
    found = (counts > 0)[y][:, x][..., None]
    return Image.fromarray(np.where(found, colours, np.asarray(plane.convert("L"))[..., None]))


def _draw_scale(draw: ImageDraw.ImageDraw, corner: tuple[int, int], height: int, most: float) -> None:
    left, top = corner
    for row in range(height):
        colour = _colours(np.array(1 - row / max(1, height - 1)))
        draw.line((left, top + row, left + _BAR - 1, top + row), fill=tuple(int(one) for one in colour))
    for value in _ticks(most):
        y = top + round((1 - (value / most if most else 0.0)) * (height - 1))
        draw.line((left + _BAR, y, left + _BAR + 4, y), fill=_INK)
        draw.text((left + _BAR + 8, y), f"{value:,.4g}", fill=_INK, font=_font(14), anchor="lm")


def _ticks(most: float) -> list[float]:
    """Return some three to six round values from 0 on."""
    if most <= 0:
        return [0.0]
    step = 10 ** math.floor(math.log10(most))
    step = next(part for part in (step, step / 2, step / 5, step / 10) if most / part >= 3)
    return [place * step for place in range(int(most / step + 1e-9) + 1)]


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _fitting(text: str, width: int, size: int) -> str:
    """Return a text that is not wider than that, with its middle left out where it must be."""
    shown, keep = text, len(text)
    while keep > 2 and _font(size).getlength(shown) > width:
        keep -= 1
        shown = f"{text[: (keep + 1) // 2]}...{text[len(text) - keep // 2 :]}"
    return shown
