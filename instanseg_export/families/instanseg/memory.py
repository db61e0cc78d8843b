"""How much memory an InstanSeg network takes while it runs."""

from __future__ import annotations

from .spec import InstanSegSpec

__all__ = ["numbers_per_pixel"]

_MAPS = {"onnx": {"batch": 4.5, "other": 6.0}, "torchscript": {"batch": 1.6, "other": 5.0}}
"""How many feature maps as wide as the first level there are at a time; norms that are not folded take more."""

_USUAL_WIDTH = 16
"""Channels of the first level, of networks that have none."""


def numbers_per_pixel(spec: InstanSegSpec, target: str, channels: int) -> float:
    """Return the float32 numbers that a network holds at a time for each pixel; measured. See :class:`.Family`."""
    maps = _MAPS.get(target, _MAPS["torchscript"])
    batch_norm = getattr(spec.backbone, "norm", None) == "batch"
    width = _first_level(spec.backbone)
    if spec.adaptor is not None:
        # ChannelNet, which takes any number of channels, sees each by itself.
        width += _first_level(spec.adaptor) * (channels if spec.channels is None else 1)
    return maps["batch" if batch_norm and spec.adaptor is None else "other"] * width


def _first_level(part: object) -> int:
    layers: tuple[int, ...] = getattr(part, "layers", ())
    return layers[0] if layers else _USUAL_WIDTH
