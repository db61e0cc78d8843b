"""How much memory an EmbedSeg network takes while it runs."""

from __future__ import annotations

from .spec import WIDTHS, EmbedSegSpec

__all__ = ["numbers_per_pixel"]

_NUMBERS = {"onnx": 26.0, "torchscript": 115.0}
"""For each pixel of an image, in a network of the usual widths."""


def numbers_per_pixel(spec: EmbedSegSpec, target: str, channels: int) -> float:
    """Return the float32 numbers that a network holds at a time for each pixel; measured. See :class:`.Family`."""
    usual = _NUMBERS.get(target, _NUMBERS["torchscript"]) * 4.0 / float(2**spec.dimensions)  # maps of half the size
    # Narrower networks were not measured: their few output maps of full size then weigh more.
    return usual * max(1.0, spec.widths[0] / WIDTHS[0])
