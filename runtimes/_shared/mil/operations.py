"""Operations of MIL, the language of Core ML's programs, in numpy and torch, after coremltools' specification of them.

Each takes its inputs by name, as numpy arrays or what a constant holds, and returns an array or a tuple of them. An
operation, or a form of one, that is not here is an error: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .layers import LAYERS, as_tensor, refuse, whole_numbers

Array = NDArray[Any]
Inputs = Mapping[str, Any]
Operation = Callable[[Inputs], Any]

DTYPES: dict[str, Any] = {
    "fp32": np.float32, "fp16": np.float16, "int32": np.int32, "int16": np.int16, "uint16": np.uint16,
    "int8": np.int8, "uint8": np.uint8, "bool": np.bool_,
}  # fmt: skip


def _axes(inputs: Inputs) -> tuple[int, ...] | None:
    return None if inputs.get("axes") is None else tuple(whole_numbers(inputs["axes"]))


def _binary(function: Callable[[Any, Any], Any]) -> Operation:
    return lambda inputs: function(inputs["x"], inputs["y"])


def _unary(function: Callable[[Any], Any]) -> Operation:
    return lambda inputs: function(inputs["x"])


def _reduce(function: Callable[..., Any]) -> Operation:
    def reduce(inputs: Inputs) -> Array:
        x = inputs["x"]
        found: Array = function(x, axis=_axes(inputs), keepdims=bool(inputs["keep_dims"])).astype(x.dtype)
        return found

    return reduce


def pad(inputs: Inputs) -> Array:
    refuse(str(inputs.get("mode", "constant")) == "constant", f"padding by {inputs.get('mode')}")
    x, amounts = inputs["x"], whole_numbers(inputs["pad"])
    before = [(0, 0)] * (x.ndim - len(amounts) // 2)
    widths = [*before, *zip(amounts[::2], amounts[1::2], strict=True)]
    return np.pad(x, widths, constant_values=x.dtype.type(inputs.get("constant_val", 0)))


def slice_by_index(inputs: Inputs) -> Array:
    x = inputs["x"]
    none = [False] * x.ndim
    begin_mask, end_mask, squeeze_mask = (
        none if inputs.get(name) is None else list(inputs[name]) for name in ("begin_mask", "end_mask", "squeeze_mask")
    )
    strides = [1] * x.ndim if inputs.get("stride") is None else whole_numbers(inputs["stride"])
    places: list[Any] = []
    for axis, (begin, end) in enumerate(zip(whole_numbers(inputs["begin"]), whole_numbers(inputs["end"]), strict=True)):
        if squeeze_mask[axis]:
            places.append(begin)
        else:
            places.append(slice(None if begin_mask[axis] else begin, None if end_mask[axis] else end, strides[axis]))
    found: Array = x[tuple(places)]
    return found


def gather(inputs: Inputs) -> Array:
    refuse(not int(inputs.get("batch_dims", 0)), "a gather by batches")
    found: Array = np.take(inputs["x"], inputs["indices"], axis=int(inputs["axis"]))
    return found


def gather_along_axis(inputs: Inputs) -> Array:
    indices = as_tensor(inputs["indices"]).long()
    found: Array = torch.gather(as_tensor(inputs["x"]), int(inputs["axis"]), indices).numpy()
    return found


def scatter_along_axis(inputs: Inputs) -> Array:
    data, updates, mode = as_tensor(inputs["data"].copy()), as_tensor(inputs["updates"]), str(inputs["mode"])
    axis, indices = int(inputs["axis"]), as_tensor(inputs["indices"]).long()
    reduced = {"max": "amax", "min": "amin", "mul": "prod"}
    if mode == "update":
        data = data.scatter(axis, indices, updates)
    elif mode == "add":
        data = data.scatter_add(axis, indices, updates)
    else:
        refuse(mode in reduced, f"a scatter by {mode}")
        data = data.scatter_reduce(axis, indices, updates, reduced[mode], include_self=True)
    found: Array = data.numpy()
    return found


def topk(inputs: Inputs) -> tuple[Array, Array]:
    x, axis, count = inputs["x"], int(inputs["axis"]), int(inputs["k"])
    order = np.argsort(x if inputs.get("ascending", False) else -x, axis=axis, kind="stable")
    order = np.take(order, range(count), axis)
    return np.take_along_axis(x, order, axis), order.astype(np.int32)


def cumsum(inputs: Inputs) -> Array:
    refuse(not inputs.get("exclusive", False) and not inputs.get("reverse", False), "another kind of running sum")
    x = inputs["x"]
    return np.cumsum(x, axis=int(inputs["axis"]), dtype=x.dtype)


def reshape(inputs: Inputs) -> Array:
    x = inputs["x"]
    sizes = [x.shape[axis] if size == 0 else size for axis, size in enumerate(whole_numbers(inputs["shape"]))]
    found: Array = x.reshape(sizes)
    return found


def split(inputs: Inputs) -> tuple[Array, ...]:
    x, axis = inputs["x"], int(inputs["axis"])
    if inputs.get("split_sizes") is not None:
        return tuple(np.split(x, np.cumsum(inputs["split_sizes"])[:-1], axis))
    return tuple(np.split(x, int(inputs["num_splits"]), axis))


def real_div(inputs: Inputs) -> Array:
    x, y = inputs["x"], inputs["y"]
    found: Array = x / y if np.asarray(x).dtype.kind == "f" else np.trunc(x / y).astype(np.int32)
    return found


def range_1d(inputs: Inputs) -> Array:
    start, end, step = inputs["start"], inputs["end"], inputs["step"]
    return np.arange(start, end, step, dtype=np.asarray(start).dtype)


def fill(inputs: Inputs) -> Array:
    value = np.asarray(inputs["value"])
    return np.full(whole_numbers(inputs["shape"]), value, dtype=value.dtype)


def fill_like(inputs: Inputs) -> Array:
    value = np.asarray(inputs["value"])
    return np.full(inputs["ref_tensor"].shape, value, dtype=value.dtype)


def concat(inputs: Inputs) -> Array:
    refuse(not inputs.get("interleave", False), "a concatenation of alternating slices")
    return np.concatenate(inputs["values"], int(inputs["axis"]))


OPERATIONS: dict[str, Operation] = {
    **LAYERS,
    "add": _binary(np.add),
    "sub": _binary(np.subtract),
    "mul": _binary(np.multiply),
    "real_div": real_div,
    "floor_div": _binary(np.floor_divide),
    "mod": _binary(np.mod),
    "pow": _binary(np.power),
    "maximum": _binary(np.maximum),
    "minimum": _binary(np.minimum),
    "greater": _binary(np.greater),
    "greater_equal": _binary(np.greater_equal),
    "less": _binary(np.less),
    "less_equal": _binary(np.less_equal),
    "equal": _binary(np.equal),
    "not_equal": _binary(np.not_equal),
    "logical_and": _binary(np.logical_and),
    "logical_or": _binary(np.logical_or),
    "logical_xor": _binary(np.logical_xor),
    "logical_not": _unary(np.logical_not),
    "abs": _unary(np.abs),
    "floor": _unary(np.floor),
    "ceil": _unary(np.ceil),
    "round": _unary(np.round),
    "sqrt": _unary(np.sqrt),
    "square": _unary(np.square),
    "exp": _unary(np.exp),
    "log": lambda inputs: np.log(inputs["x"] + inputs["x"].dtype.type(inputs.get("epsilon", 1e-45))),
    "rsqrt": lambda inputs: 1 / np.sqrt(inputs["x"] + inputs["x"].dtype.type(inputs.get("epsilon", 1e-12))),
    "sigmoid": lambda inputs: torch.sigmoid(as_tensor(inputs["x"])).numpy(),
    "tanh": lambda inputs: torch.tanh(as_tensor(inputs["x"])).numpy(),
    "relu": lambda inputs: np.maximum(inputs["x"], inputs["x"].dtype.type(0)),
    "clip": lambda inputs: np.clip(inputs["x"], inputs["alpha"], inputs["beta"]),
    "cast": lambda inputs: np.asarray(inputs["x"]).astype(DTYPES[str(inputs["dtype"])]),
    "select": lambda inputs: np.where(inputs["cond"], inputs["a"], inputs["b"]),
    "identity": _unary(np.copy),
    "expand_dims": lambda inputs: np.expand_dims(inputs["x"], _axes(inputs) or ()),
    "squeeze": lambda inputs: np.squeeze(inputs["x"], _axes(inputs)),
    "transpose": lambda inputs: np.transpose(inputs["x"], whole_numbers(inputs["perm"])),
    "reverse": lambda inputs: np.flip(inputs["x"], _axes(inputs)),
    "tile": lambda inputs: np.tile(inputs["x"], whole_numbers(inputs["reps"])),
    "stack": lambda inputs: np.stack(inputs["values"], int(inputs["axis"])),
    "matmul": lambda inputs: np.matmul(
        np.swapaxes(inputs["x"], -1, -2) if inputs.get("transpose_x") else inputs["x"],
        np.swapaxes(inputs["y"], -1, -2) if inputs.get("transpose_y") else inputs["y"],
    ),
    "reduce_sum": _reduce(np.sum),
    "reduce_mean": _reduce(np.mean),
    "reduce_max": _reduce(np.max),
    "reduce_min": _reduce(np.min),
    "concat": concat,
    "pad": pad,
    "slice_by_index": slice_by_index,
    "gather": gather,
    "gather_along_axis": gather_along_axis,
    "scatter_along_axis": scatter_along_axis,
    "topk": topk,
    "cumsum": cumsum,
    "reshape": reshape,
    "split": split,
    "range_1d": range_1d,
    "fill": fill,
    "fill_like": fill_like,
}
