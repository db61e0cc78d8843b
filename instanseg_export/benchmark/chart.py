"""A bar per row, in the colours of its parts, with the floor as a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from .rows import BenchmarkImage, Floor, Row

__all__ = ["draw_chart"]

_COLOURS = {"normalisation": (230, 159, 0), "network": (0, 114, 178), "post-processing": (0, 158, 115)}
"""Told apart by colour-blind readers too (Okabe and Ito)."""

_WHOLE, _INK, _GREY = (120, 120, 120), (30, 30, 30), (110, 110, 110)
_NAMES, _BAR, _FIGURES, _LINE, _EDGE = 380, 460, 240, 30, 20


def draw_chart(images: Sequence[BenchmarkImage], rows: Sequence[Row], floors: Sequence[Floor]) -> Image.Image:
    """Return the picture: a block per image, in it a bar of seconds for each row that was measured.

    The line across a bar is the floor: the network's operations at the machine's matrix peak. Bars whose parts cannot
    be told apart are grey.

    Args:
        images: that were run.
        rows: of all images.
        floors: of all images and models.
    """
    blocks = [
        (image, [row for row in rows if row.image == image["name"] and row.seconds is not None]) for image in images
    ]
    several = len({row.model for row in rows}) > 1
    height = 2 * _EDGE + _LINE + sum((len(block) + 2) * _LINE for _, block in blocks)
    picture = Image.new("RGB", (2 * _EDGE + _NAMES + _BAR + _FIGURES, height), "white")
    draw = ImageDraw.Draw(picture)
    _legend(draw)
    top = _EDGE + _LINE
    for image, block in blocks:
        shape = " x ".join(map(str, image["shape"]))
        draw.text((_EDGE, top + 6), f"{image['name']}  ({shape})", fill=_INK, font=_font(16))
        top += _LINE
        longest = max((row.seconds or 0.0 for row in block), default=0.0) or 1.0
        for row in block:
            _bar(draw, top, row, longest, several)
            floor = [one.seconds for one in floors if (one.model, one.image) == (row.model, row.image)]
            if floor and floor[0] is not None:
                x = _EDGE + _NAMES + _BAR * min(1.0, floor[0] / longest)
                draw.line((x, top + 1, x, top + _LINE - 7), fill=_INK, width=2)
            top += _LINE
        top += _LINE
    return picture


def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _legend(draw: ImageDraw.ImageDraw) -> None:
    x = _EDGE
    for part, colour in _COLOURS.items():
        draw.rectangle((x, _EDGE, x + 14, _EDGE + 14), fill=colour)
        draw.text((x + 20, _EDGE - 1), part, fill=_INK, font=_font(14))
        x += 150
    draw.line((x, _EDGE, x, _EDGE + 14), fill=_INK, width=2)
    draw.text((x + 8, _EDGE - 1), "floor of the network", fill=_INK, font=_font(14))


def _bar(draw: ImageDraw.ImageDraw, top: int, row: Row, longest: float, several: bool) -> None:
    seconds = row.seconds or 0.0
    name = f"{row.model}, {row.title}" if several else row.title
    draw.text((_EDGE, top + 4), _shortened(name), fill=_INK, font=_font(14))
    parts = row.split_s or {"": seconds}
    scale = _BAR / longest * seconds / (sum(parts.values()) or 1.0)
    left = float(_EDGE + _NAMES)
    for part, length in parts.items():
        right = left + length * scale
        draw.rectangle((left, top + 3, max(left, right - 1), top + _LINE - 9), fill=_COLOURS.get(part, _WHOLE))
        left = right
    memory = "" if row.peak_mb is None else f", {row.peak_mb:.0f} MB"
    draw.text((left + 8, top + 4), f"{seconds:.3g} s{memory}", fill=_GREY, font=_font(14))


def _shortened(text: str) -> str:
    return text if len(text) <= 48 else f"{text[:22]}...{text[-23:]}"
