"""Operations of MIL that networks are made of: convolutions, pooling, norms, linear layers, resizing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

__all__ = ["LAYERS", "as_tensor", "refuse", "whole_numbers"]

Array = NDArray[Any]
Inputs = Mapping[str, Any]


def as_tensor(array: Any) -> torch.Tensor:
    """Return an array as a tensor, without a copy where there need be none."""
    return torch.from_numpy(np.ascontiguousarray(array))


def whole_numbers(values: Any) -> list[int]:
    """Return values as Python's whole numbers."""
    return [int(value) for value in values]


def refuse(unless: bool, what: str) -> None:
    """Stop at a form of an operation that is not known here.

    Raises:
        NotImplementedError: ``unless`` does not hold.
    """
    if not unless:
        raise NotImplementedError(what)


def _optional(inputs: Inputs, name: str) -> torch.Tensor | None:
    return None if inputs.get(name) is None else as_tensor(inputs[name])


def _padding(inputs: Inputs) -> list[int]:
    """Return what is added before and after each spatial axis of a convolution or pooling."""
    kind = str(inputs.get("pad_type", "valid"))
    refuse(kind in ("valid", "custom"), f"padding of the kind {kind}")
    return whole_numbers(inputs["pad"]) if kind == "custom" else [0, 0, 0, 0]


def _padded(x: Any, pad: list[int], value: float) -> torch.Tensor:
    top, bottom, left, right = pad
    return F.pad(as_tensor(x), [left, right, top, bottom], value=value) if any(pad) else as_tensor(x)


def conv(inputs: Inputs) -> Array:
    found: Array = F.conv2d(
        _padded(inputs["x"], _padding(inputs), 0.0),
        as_tensor(inputs["weight"]),
        _optional(inputs, "bias"),
        stride=whole_numbers(inputs["strides"]),
        dilation=whole_numbers(inputs["dilations"]),
        groups=int(inputs["groups"]),
    ).numpy()
    return found


def max_pool(inputs: Inputs) -> Array:
    refuse(not inputs.get("ceil_mode", False), "a pooling that rounds its size up")
    x = _padded(inputs["x"], _padding(inputs), -np.inf)
    found: Array = F.max_pool2d(
        x, whole_numbers(inputs["kernel_sizes"]), stride=whole_numbers(inputs["strides"])
    ).numpy()
    return found


def upsample_nearest_neighbor(inputs: Inputs) -> Array:
    rows, columns = float(inputs["scale_factor_height"]), float(inputs["scale_factor_width"])
    refuse(rows == int(rows) and columns == int(columns), "growing by a part of a pixel")
    found: Array = inputs["x"].repeat(int(rows), 2).repeat(int(columns), 3)
    return found


def instance_norm(inputs: Inputs) -> Array:
    gamma, beta = _optional(inputs, "gamma"), _optional(inputs, "beta")
    epsilon = float(inputs.get("epsilon", 1e-5))
    found: Array = F.instance_norm(as_tensor(inputs["x"]), weight=gamma, bias=beta, eps=epsilon).numpy()
    return found


def batch_norm(inputs: Inputs) -> Array:
    gamma, beta = _optional(inputs, "gamma"), _optional(inputs, "beta")
    mean, variance = as_tensor(inputs["mean"]), as_tensor(inputs["variance"])
    epsilon = float(inputs.get("epsilon", 1e-5))
    found: Array = F.batch_norm(as_tensor(inputs["x"]), mean, variance, gamma, beta, eps=epsilon).numpy()
    return found


def conv_transpose(inputs: Inputs) -> Array:
    top, bottom, left, right = _padding(inputs)
    found = F.conv_transpose2d(
        as_tensor(inputs["x"]),
        as_tensor(inputs["weight"]),
        _optional(inputs, "bias"),
        stride=whole_numbers(inputs["strides"]),
        dilation=whole_numbers(inputs["dilations"]),
        groups=int(inputs["groups"]),
    )
    height, width = found.shape[2:]
    cut: Array = found[:, :, top : height - bottom, left : width - right].numpy()
    stated = inputs.get("output_shape")
    refuse(stated is None or tuple(whole_numbers(stated)) == cut.shape, "a transposed convolution to another size")
    return cut


def crop(inputs: Inputs) -> Array:
    x = inputs["x"]
    (top, bottom), (left, right) = whole_numbers(inputs["crop_height"]), whole_numbers(inputs["crop_width"])
    found: Array = x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]
    return found


def linear(inputs: Inputs) -> Array:
    found: Array = F.linear(as_tensor(inputs["x"]), as_tensor(inputs["weight"]), _optional(inputs, "bias")).numpy()
    return found


def softmax(inputs: Inputs) -> Array:
    found: Array = torch.softmax(as_tensor(inputs["x"]), int(inputs.get("axis", -1))).numpy()
    return found


def gelu(inputs: Inputs) -> Array:
    mode = str(inputs.get("mode", "EXACT"))
    refuse(mode == "EXACT", f"a GELU by {mode}")
    found: Array = F.gelu(as_tensor(inputs["x"])).numpy()
    return found


def layer_norm(inputs: Inputs) -> Array:
    x, axes = inputs["x"], sorted(axis % inputs["x"].ndim for axis in whole_numbers(inputs["axes"]))
    refuse(axes == list(range(x.ndim - len(axes), x.ndim)), "a layer norm over axes that are not the last ones")
    gamma, beta = _optional(inputs, "gamma"), _optional(inputs, "beta")
    epsilon = float(inputs.get("epsilon", 1e-5))
    found: Array = F.layer_norm(as_tensor(x), list(x.shape[axes[0] :]), gamma, beta, epsilon).numpy()
    return found


def upsample_bilinear(inputs: Inputs) -> Array:
    x = as_tensor(inputs["x"])
    scales = float(inputs["scale_factor_height"]), float(inputs["scale_factor_width"])
    size = [int(np.floor(length * scale)) for length, scale in zip(x.shape[-2:], scales, strict=True)]
    aligned = bool(inputs.get("align_corners", True))
    found: Array = F.interpolate(x, size=size, mode="bilinear", align_corners=aligned).numpy()
    return found


LAYERS: dict[str, Callable[[Inputs], Any]] = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "linear": linear,
    "max_pool": max_pool,
    "batch_norm": batch_norm,
    "instance_norm": instance_norm,
    "layer_norm": layer_norm,
    "softmax": softmax,
    "gelu": gelu,
    "crop": crop,
    "upsample_nearest_neighbor": upsample_nearest_neighbor,
    "upsample_bilinear": upsample_bilinear,
}
