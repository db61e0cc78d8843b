"""What the samples of a TIFF page mean, by its tags: PhotometricInterpretation, ExtraSamples and ColorMap."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ...untrusted.boundary import plain
from ..image import Array, without_alpha

__all__ = ["Colours", "colours_of"]

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_SAMPLES = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _YCBCR: 3}
_REFUSED = {
    4: "a transparency mask",
    5: "CMYK, a printer's colours",
    8: "L*a*b* colours",
    9: "ICC L*a*b* colours",
    10: "ITU L*a*b* colours",
    32803: "a colour filter array, a camera's raw picture",
    32844: "logarithmic luminances",
    32845: "logarithmic colours",
    34892: "a camera's raw picture",
    51177: "a depth map",
    52527: "a semantic mask",
}
_DECODED_AS_RGB = (7, 33003, 33007)
"""Compressions whose decoder turns YCbCr into RGB: JPEG, Aperio's JPEG 2000."""

_ALPHA = (1, 2)
"""ExtraSamples: associated and unassociated alpha. 0 is unspecified: data."""


@dataclass(frozen=True)
class Colours:
    """How the samples of a page become channels.

    Attributes:
        channels: how many they become.
        dtype: of them.
        colour: whether they are red, green and blue.
        notes: a sentence for each assumption and conversion.
    """

    path: Path
    channels: int
    dtype: np.dtype[Any]
    colour: bool
    notes: tuple[str, ...] = ()
    alpha: tuple[int, ...] = ()
    white: int | None = None
    palette: Array | None = field(default=None, repr=False)
    stored: np.dtype[Any] | None = None

    def without_palette(self) -> Colours:
        """Return the same for one of several pages, where a palette is a program's tint for a channel or a slice."""
        if self.palette is None:
            return self
        note = f"{self.path.name} has a palette for each of its pages: a tint for viewing, which was not applied."
        stored = self.stored if self.stored is not None else self.dtype
        return replace(self, channels=1, dtype=stored, colour=False, palette=None, notes=(*self.notes[:-1], note))

    def convert(self, samples: Array) -> Array:
        """Turn samples (S, D, H, W), as they are stored, into channels (C, D, H, W).

        Raises:
            ImageError: an alpha channel is not opaque, or a pixel has no colour in the palette.
        """
        samples = without_alpha(samples, self.alpha, self.path)
        if self.palette is not None:
            if samples.max(initial=0) >= self.palette.shape[1]:
                raise ImageError(
                    f"{self.path} is damaged: its palette has {self.palette.shape[1]} colours, "
                    f"and a pixel has number {samples.max()}.",
                    hint="Export it again.",
                )
            return np.ascontiguousarray(self.palette[:, samples[0]])
        if self.white is not None:
            if samples.dtype == bool:
                return np.logical_not(samples)
            return np.asarray(samples.dtype.type(self.white) - samples)
        return samples


def colours_of(path: Path, page: Any) -> Colours:
    """Return what the samples of a page mean.

    Args:
        path: of the file, for messages.
        page: a ``tifffile.TiffPage``.

    Raises:
        ImageError: they are colours of a kind that is not converted here.
    """
    name, count, notes = path.name, int(page.samplesperpixel), []
    photometric = page.photometric
    kind = int(photometric) if isinstance(photometric, int) else -1
    if 262 not in page.tags and int(page.compression) != 7:
        kind = _RGB if count == 3 else _BLACK_IS_ZERO
        notes.append(f"{name} does not say whether black or white is zero: taken to be black.")
    if kind not in _SAMPLES or (
        kind == _YCBCR and (int(page.compression) not in _DECODED_AS_RGB or page.planarconfig != 1)
    ):
        unknown = f"pixels of an unknown kind (PhotometricInterpretation {plain(photometric, 40)})"
        what = "YCbCr colours outside of JPEG" if kind == _YCBCR else _REFUSED.get(kind, unknown)
        raise ImageError(
            f"{path} holds {what}, not grey values or RGB.",
            hint="Convert it to RGB or to greyscale, for instance in Fiji: Image > Type, then save it as TIFF.",
        )
    base = _SAMPLES[kind]
    if kind == _YCBCR and count != base:
        raise ImageError(f"{path} holds YCbCr colours with {count} samples per pixel.", hint="Convert it to RGB.")
    if count < base:
        notes.append(f"{name} is RGB by its tags, and has {count} samples per pixel: they were taken for channels.")
        kind, base = _BLACK_IS_ZERO, 1
    extras = [int(extra) for extra in (page.extrasamples or ())]
    alpha = tuple(base + i for i, extra in enumerate(extras) if extra in _ALPHA and base + i < count)
    if alpha:
        notes.append(f"{name} has an alpha channel that is opaque: it was left out.")
    data = count - len(alpha)
    if kind in (_RGB, _YCBCR) and data > base:
        notes.append(
            f"{name} has {data - base} more samples per pixel than red, green and blue, and its tags do not say what "
            "they are: they were taken for channels."
        )
    elif kind in (_BLACK_IS_ZERO, _WHITE_IS_ZERO) and data > 1:
        notes.append(f"{name} has {data} grey samples per pixel: they were taken for channels.")
    if kind == _PALETTE:
        if data > 1:
            raise ImageError(f"{path} has a palette and {data} samples per pixel.", hint="Convert it to RGB.")
        palette = _palette(path, page)
        notes.append(f"{name} has a palette: its colours were taken from it.")
        return Colours(path, 3, palette.dtype, True, tuple(notes), alpha, palette=palette, stored=page.dtype)
    white = None
    if kind == _WHITE_IS_ZERO:
        if page.dtype.kind not in "ub":
            raise ImageError(
                f"{path} says that white is zero, of values of type {page.dtype}, which have no greatest one.",
                hint="Invert it (in Fiji: Edit > Invert) and save it with black as zero.",
            )
        white = 2 ** int(page.bitspersample) - 1
        notes.append(f"White is zero in {name}: it was inverted.")
    return Colours(path, data, page.dtype, kind in (_RGB, _YCBCR), tuple(notes), alpha, white)


def _palette(path: Path, page: Any) -> Array:
    """Return the palette, (3, N): 8 bits per sample if the indices have no more, else 16."""
    if page.dtype.kind not in "ub" or page.colormap is None:
        raise ImageError(f"{path} has a palette by its tags, and none that is of use.", hint="Convert it to RGB.")
    palette = np.asarray(page.colormap)
    if palette.ndim != 2 or palette.shape[0] != 3:
        raise ImageError(f"{path} has a damaged palette of shape {palette.shape}.", hint="Convert it to RGB.")
    if int(page.bitspersample) > 8:
        return palette.astype(np.uint16)
    # Some programs write 8 bits where the standard has 16.
    return (palette if palette.max(initial=0) < 256 else palette >> 8).astype(np.uint8)
