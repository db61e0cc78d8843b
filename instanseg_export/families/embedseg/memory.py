"""How much memory an EmbedSeg network takes while it runs."""

from __future__ import annotations

from .spec import EmbedSegSpec

__all__ = ["numbers_per_pixel"]

_NUMBERS = {"onnx": 26.0, "torchscript": 115.0}
"""For each pixel of an image."""


def numbers_per_pixel(spec: EmbedSegSpec, target: str, channels: int) -> float:
    """Return the float32 numbers that a network holds at a time for each pixel; measured. See :class:`.Family`."""
    return _NUMBERS.get(target, _NUMBERS["torchscript"]) * 4.0 / float(2**spec.dimensions)  # maps of half the size
