"""The images on which runtimes are compared: small, made here, the same on every machine, each with its own risk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .named import FloatImage, NamedImage
from .synthetic_volumes import standard_volumes

__all__ = ["TELLING", "NamedImage", "draw_nuclei", "standard_images"]

TELLING = frozenset({"nuclei", "no objects", "crowded", "NaN and infinities"})
"""Names of the standard images that tell most, where there is no time for all."""


def standard_images(channels: int | None, dimensions: int = 2) -> list[NamedImage]:
    """Return the standard set; see ``volumes.py`` for that of volumes.

    Nuclei are drawn bright on dark; in images of three channels they are stained like histology now and then, so that a
    network trained on either finds something.

    Args:
        channels: that the model takes; None when it takes any number, which is then varied too.
        dimensions: 2, or 3 for a model that takes volumes.
    """
    usual = 3 if channels is None else channels
    if dimensions == 3:
        return standard_volumes(usual)

    def nuclei(seed: int, height: int, width: int, *, dark: bool = False, **options: Any) -> FloatImage:
        return draw_nuclei(seed, usual, height, width, dark=dark, **options)

    makers: list[tuple[str, Callable[[], npt.NDArray[Any]], str]] = [
        ("nuclei", lambda: nuclei(1, 192, 256), "bright nuclei on a dark ground"),
        ("stained nuclei", lambda: nuclei(2, 192, 192, dark=True), "dark nuclei on a bright ground"),
        ("no objects", lambda: draw_nuclei(3, usual, 128, 160, spacing=0), "noise, nothing in it"),
        ("constant", lambda: np.full((usual, 96, 64), 7.0), "every pixel has the same value"),
        ("one pixel", lambda: np.full((usual, 1, 1), 3.0), "1 x 1"),
        ("one row", lambda: nuclei(4, 1, 97), "1 x 97"),
        ("one column", lambda: nuclei(5, 61, 1), "61 x 1"),
        ("narrow", lambda: nuclei(6, 45, 200), "lower than a window around a seed"),
        ("odd sizes", lambda: nuclei(7, 131, 77), "131 x 77, multiples of nothing"),
        ("touching the border", lambda: nuclei(8, 100, 120, spacing=17, margin=0), "nuclei cut by every edge"),
        ("crowded", lambda: nuclei(9, 160, 160, spacing=15, radius=9.5), "nuclei that overlap their neighbours"),
        (
            "thousands of seeds",
            lambda: nuclei(10, 704, 704, spacing=14, radius=5.0),
            "2,500 small nuclei in 704 x 704",
        ),
        ("NaN and infinities", lambda: _with_holes(nuclei(11, 128, 128)), "some pixels are no numbers"),
        ("16 bit", lambda: nuclei(12, 128, 144) * 257.0, "values up to 65,535"),
        ("normalised", lambda: nuclei(13, 128, 128) / 160.0 - 0.1, "values from 0 to 1, as clients send them"),
        (
            "batch of 3",
            lambda: np.stack([nuclei(14, 96, 112), nuclei(15, 96, 112, dark=True), nuclei(16, 96, 112, spacing=0)]),
            "three images at once, one of them empty",
        ),
    ]
    if channels is None:
        makers += [
            ("one channel", lambda: draw_nuclei(17, 1, 128, 128), "a single channel"),
            ("seven channels", lambda: draw_nuclei(18, 7, 96, 128), "as many channels as a multiplexed image"),
        ]
    return [NamedImage(name, make(), note) for name, make, note in makers]


def draw_nuclei(
    seed: int,
    channels: int,
    height: int,
    width: int,
    *,
    dark: bool = False,
    spacing: float = 30.0,
    radius: float = 9.0,
    margin: float = 8.0,
) -> FloatImage:
    """Draw soft ellipses on a jittered grid, over a noisy ground: values from 0 to 255.

    Args:
        seed: of the random numbers.
        channels: of the image.
        height: of the image in pixels.
        width: of the image in pixels.
        dark: dark nuclei on a bright ground, in three channels purple on pink.
        spacing: pixels between neighbours; 0 for no nuclei at all.
        radius: their mean radius in pixels.
        margin: pixels between the border and the first centre; 0 and less let the border cut nuclei.
    """
    random = np.random.default_rng(seed)
    depth = np.zeros((height, width))
    if spacing > 0:
        rows = np.arange(min(margin, height / 2), height, spacing)
        columns = np.arange(min(margin, width / 2), width, spacing)
        for row in rows:
            for column in columns:
                _add_ellipse(depth, row, column, spacing, radius, random)
    texture = random.normal(0.0, 1.0, (channels, height, width))
    if dark:
        stain = np.array([0.45, 0.62, 0.35])[np.arange(channels) % 3][:, None, None]
        image = 225.0 * (1.0 - stain * depth) + 5.0 * texture
    else:
        brightness = np.array([1.0, 0.92, 0.85])[np.arange(channels) % 3][:, None, None]
        image = 14.0 + 150.0 * brightness * depth + 4.0 * texture
    return image.clip(0.0, 255.0).round().astype(np.float32)


def _add_ellipse(
    depth: npt.NDArray[np.float64],
    row: float,
    column: float,
    spacing: float,
    radius: float,
    random: np.random.Generator,
) -> None:
    jitter = random.uniform(-0.15, 0.15, 2) * spacing
    long, short = radius * random.uniform(0.9, 1.25), radius * random.uniform(0.7, 1.0)
    angle, height = random.uniform(0.0, np.pi), random.uniform(0.6, 1.0)
    row, column = row + jitter[0], column + jitter[1]
    reach = int(np.ceil(long + 4))
    top, left = max(0, int(row) - reach), max(0, int(column) - reach)
    window = depth[top : int(row) + reach + 1, left : int(column) + reach + 1]
    if not window.size:
        return
    rows, columns = np.indices(window.shape)
    y, x = rows + top - row, columns + left - column
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    distance = (np.hypot(along / long, across / short) - 1.0) * short
    np.maximum(window, height / (1.0 + np.exp(np.clip(distance * 1.5, -30.0, 30.0))), out=window)


def _with_holes(image: FloatImage) -> FloatImage:
    image = image.copy()
    image[:, 10:14, 20:24] = np.nan
    image[0, 40, 50] = np.inf
    image[-1, 60:62, 70] = -np.inf
    image[0, 100, :] = np.nan
    return image
