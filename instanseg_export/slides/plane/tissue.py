"""Where there is tissue, or what else is to be seen, on a slide.

Otsu's threshold (IEEE Trans. Syst. Man Cybern. 9, 62, 1979) splits any picture in two, also one of glass alone, of
which it calls about half tissue. So what it finds must also differ from the background by an absolute amount; where
nothing does, the whole slide is segmented, and a note says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .thumbnail import Thumbnail

__all__ = ["Tissue", "find_tissue"]

_DENSITY = 0.05, 0.1
"""Optical density, log10(glass / pixel), below which nothing is stained, and above which everything is, whatever Otsu's
threshold: uneven glass has 0.02, pale eosin 0.1, and dense nuclei 1, from which Otsu would tell the rest of the tissue.
"""

_CONTRAST = 5.0, 50.0
"""Standard deviations of the dark background's noise, likewise."""

_GLASS = 0.85
"""Part of white that glass has at least: where tissue fills a slide, its own brightest pixels are not taken for glass.
"""

_BLACK = 0.04
"""Part of the brightness of glass below which pixels are what a scanner puts where it did not scan."""

_SMALLEST_SHARE = 5e-4
"""Part of a slide below which what is found is taken for dust."""

_SPECK = 4
"""Pixels of the thumbnail below which a piece is noise."""

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Tissue:
    """What was found on a slide.

    Attributes:
        mask: (H, W) of the thumbnail; None where nothing was found, so that everything counts.
        share: part of the slide that it is, from 0 to 1; 1 where everything counts.
        note: what was found, as one sentence.
    """

    mask: Mask | None
    share: float
    note: str


def find_tissue(thumbnail: Thumbnail, dtype: np.dtype[Any], margin: float = 0.0) -> Tissue:
    """Find the tissue. What could not be read at low resolution counts as tissue, for nobody knows.

    Bright slides, with glass as their background, are told from dark ones, as in fluorescence, by what most of their
    pixels are.

    Args:
        thumbnail: of the slide.
        dtype: of the slide's values, which says how bright glass can be.
        margin: pixels of full resolution by which what is found grows, so that cells at its edge are whole.
    """
    pixels, unread = thumbnail.pixels, thumbnail.unread
    if unread.all():
        return Tissue(None, 1.0, "The slide cannot be read at low resolution: the whole of it was segmented.")
    if unread.any():
        pixels = pixels.copy()
        pixels[:, unread] = np.median(pixels[:, ~unread], axis=1, keepdims=True)
    bright = _is_bright(pixels, dtype)
    signal, valid = _stain(pixels, _white(dtype)) if bright else _light(pixels)
    floor, ceiling = _DENSITY if bright else _CONTRAST
    threshold = min(max(_otsu(signal[valid]), floor), ceiling)
    mask = _tidied((signal > threshold) & valid)
    share = float(mask.mean())
    kind = "stain on glass" if bright else "light on a dark background"
    if share < _SMALLEST_SHARE:
        return Tissue(None, 1.0, f"No tissue was found ({kind}: nothing stands out): the whole of it was segmented.")
    grown = _grown(mask | unread, margin / min(thumbnail.scale))
    share = float(grown.mean())
    note = f"Tissue was found on {100 * share:.3g} % of the slide ({kind}), and segmented"
    if unread.any():
        note += f"; {100 * float(unread.mean()):.3g} % cannot be read at low resolution, and counts as tissue"
    return Tissue(grown, share, f"{note}.")


def _is_bright(pixels: Floats, dtype: np.dtype[Any]) -> bool:
    """Tell whether a slide is stain on glass: three channels of which the brightest pixels are near white."""
    if len(pixels) != 3 or dtype.kind == "b":
        return False
    white = _white(dtype)
    mean = pixels.mean(axis=0)
    scanned = mean[mean > _BLACK * white]
    if not scanned.size or float(mean.max()) > 2 * white:
        return False
    # Tissue can fill a slide, but even then most of it is lighter than a dark background with some light on it.
    return float(np.median(scanned)) > 0.4 * white


def _white(dtype: np.dtype[Any]) -> float:
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def _stain(pixels: Floats, white: float) -> tuple[Floats, Mask]:
    """Return how much light is absorbed, and which pixels were scanned."""
    from scipy import ndimage

    glass = np.maximum(np.percentile(pixels.reshape(3, -1), 99, axis=1), _GLASS * white)
    # The rim of what was not scanned is a mixture of black and glass.
    valid = np.asarray(ndimage.binary_erosion(pixels.mean(axis=0) > _BLACK * white, iterations=3, border_value=1))
    ratio = np.clip(pixels / glass[:, None, None], 1e-3, 1)
    density = -np.log10(ratio.min(axis=0))
    return _smooth(np.where(valid, density, 0).astype(np.float32)), valid


def _light(pixels: Floats) -> tuple[Floats, Mask]:
    """Return how far the brightest channel stands out of its background, in units of that background's noise."""
    signal = np.zeros(pixels.shape[1:], np.float32)
    for channel in pixels:
        smooth = _smooth(channel)
        # Background is the darker half: its spread to below is free of what lies on it.
        level = float(np.median(smooth[smooth <= np.median(smooth)]))
        below = smooth[smooth <= level]
        noise = 1.4826 * float(np.median(np.abs(below - level))) * 2
        least = 1e-3 * float(np.abs(smooth).max()) + 1e-12
        signal = np.maximum(signal, (smooth - level) / max(noise, least))
    return signal, np.ones(signal.shape, bool)


def _otsu(values: Floats) -> float:
    from skimage.filters import threshold_otsu

    if not values.size or float(values.min()) == float(values.max()):
        return -np.inf
    # A few very bright pixels would leave the histogram two bins for all others.
    return float(threshold_otsu(np.minimum(values, np.percentile(values, 99.5))))


def _smooth(channel: Floats) -> Floats:
    from scipy import ndimage

    return np.asarray(ndimage.gaussian_filter(channel, 1.0, mode="nearest"), np.float32)


def _tidied(mask: Mask) -> Mask:
    """Remove specks, and close small holes."""
    from scipy import ndimage

    labels, count = ndimage.label(mask)
    if count:
        sizes = np.bincount(labels.ravel())
        keep = sizes >= _SPECK
        keep[0] = False
        mask = keep[labels]
    closed: Mask = ndimage.binary_closing(np.pad(mask, 2), iterations=2)[2:-2, 2:-2]
    return closed


def _grown(mask: Mask, by: float) -> Mask:
    from scipy import ndimage

    if by <= 0:
        return mask
    return np.asarray(ndimage.distance_transform_edt(~mask) <= max(by, 1.0))
