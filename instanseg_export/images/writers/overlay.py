"""Pictures for people: a stretched image with an outline around each instance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..image import Array

__all__ = ["fullest_slice", "inner_edge", "overlay"]

_CHANNEL_COLOURS = (
    (0.25, 0.45, 1.0),
    (0.2, 1.0, 0.3),
    (1.0, 0.25, 0.25),
    (1.0, 1.0, 0.2),
    (0.2, 1.0, 1.0),
    (1.0, 0.3, 1.0),
)
_GOLDEN_RATIO = 0.618033988749895


def overlay(image: Array, labels: Array) -> npt.NDArray[np.uint8]:
    """Draw the outlines of all instances on a contrast-stretched picture of the image.

    Three channels are shown as red, green and blue with one common stretch, so that stains keep their hue; one channel
    as grey; others each in a colour of their own, added up. The stretch goes from the 0.1 to the 99.9 percentile. An
    instance has the colour of its id in every structure: solid in the first structure, dashed in the others.

    Args:
        image: (C, H, W), any type; NaN and infinities are drawn as its smallest value. Of a volume (C, D, H, W), the
            slice with most labels is drawn.
        labels: (T, H, W) or (H, W), integer-valued; 0 is background. Of a volume, (T, D, H, W).

    Returns:
        (H, W, 3) uint8.
    """
    if image.ndim == 4:
        place = fullest_slice(labels)
        image, labels = image[:, place], labels[:, place]
    with np.errstate(over="ignore"):  # what float32 has no room for is infinite, and drawn like other infinities
        values = image.astype(np.float32)
    picture = _picture(_finite(values))
    maps = (labels if labels.ndim == 3 else labels[None]).astype(np.int64)
    rows, columns = np.indices(picture.shape[:2])
    dashes = (rows + columns) % 6 < 3
    # The last structure is drawn first: nuclei lie on top of their cells.
    for structure in range(maps.shape[0] - 1, -1, -1):
        edge = inner_edge(maps[structure])
        if structure:
            edge &= dashes
        picture[edge] = _colours(maps[structure][edge])
    return picture


def fullest_slice(labels: Array) -> int:
    """Return the place of the slice of (T, D, H, W) with most labelled pixels; the middle one where there are none."""
    labelled = (labels > 0).sum(axis=(0, 2, 3))
    return int(labelled.argmax()) if labelled.any() else labels.shape[1] // 2


def _finite(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    finite = np.isfinite(image)
    return image if finite.all() else np.where(finite, image, image[finite].min() if finite.any() else 0)


def _picture(image: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    channels = image.shape[0]
    if channels == 3:
        rgb = _stretch(image)
    elif channels == 1:
        rgb = np.repeat(_stretch(image), 3, axis=0)
    else:
        rgb = np.zeros((3, *image.shape[1:]), dtype=np.float32)
        for index, channel in enumerate(image):
            colour = np.array(_CHANNEL_COLOURS[index % len(_CHANNEL_COLOURS)], dtype=np.float32)
            rgb += colour[:, None, None] * _stretch(channel)[None]
        rgb = _stretch(rgb)
    return np.ascontiguousarray((rgb.clip(0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0))


def _stretch(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    low, high = np.percentile(values, (0.1, 99.9))
    if high <= low:
        return np.full_like(values, 0.5 if high > 0 else 0.0)
    return np.asarray(((values - low) / (high - low)).clip(0, 1), dtype=np.float32)


def inner_edge(labels: Array) -> npt.NDArray[np.bool_]:
    """Pixels of an instance with another value above, below, left or right of them."""
    edge = np.zeros(labels.shape, dtype=bool)
    vertical = labels[1:] != labels[:-1]
    horizontal = labels[:, 1:] != labels[:, :-1]
    edge[1:] |= vertical
    edge[:-1] |= vertical
    edge[:, 1:] |= horizontal
    edge[:, :-1] |= horizontal
    return edge & (labels > 0)


def _colours(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Bright colours from red over green to cyan, none of them a stain's; golden-ratio steps keep neighbours apart."""
    hue = (ids * _GOLDEN_RATIO) % 1.0 * 0.55
    wave = np.abs((hue[..., None] * 6.0 + np.array([0.0, 4.0, 2.0])) % 6.0 - 3.0) - 1.0
    return np.asarray((wave.clip(0, 1) * 0.8 + 0.2) * 255, dtype=np.uint8)
