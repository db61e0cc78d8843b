"""Random inputs of each operation of MIL, and what torch makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st

__all__ = ["CASES", "Random", "t"]

Draw = Callable[[st.SearchStrategy[Any]], Any]
Case = tuple[dict[str, Any], Any]


class Random:
    """Random inputs of an operation."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 2**31)))

    def shape(self, least: int = 1, most: int = 4) -> tuple[int, ...]:
        return tuple(self.draw(st.lists(st.integers(1, 6), min_size=least, max_size=most)))

    def floats(self, shape: tuple[int, ...], low: float = -3.0, high: float = 3.0) -> np.ndarray:
        return self.rng.uniform(low, high, shape).astype(np.float32)

    def wholes(self, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
        return self.rng.integers(low, high, shape).astype(np.int32)

    def axis(self, shape: tuple[int, ...]) -> int:
        return int(self.draw(st.integers(0, len(shape) - 1)))

    def flag(self) -> bool:
        return bool(self.draw(st.booleans()))


def t(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def _two(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Callable[[Random], Case]:
    def case(random: Random) -> Case:
        shape = random.shape()
        # Of few values, so that comparisons meet equal ones.
        x, y = (np.round(random.floats(shape)).astype(np.float32) for _ in range(2))
        return {"x": x, "y": y}, function(t(x), t(y))

    return case


def _one(
    function: Callable[[torch.Tensor], torch.Tensor], low: float = -3.0, high: float = 3.0, **constants: Any
) -> Callable[[Random], Case]:
    def case(random: Random) -> Case:
        x = random.floats(random.shape(), low, high)
        return {"x": x, **constants}, function(t(x))

    return case


def _logical(function: Callable[..., torch.Tensor], count: int = 2) -> Callable[[Random], Case]:
    def case(random: Random) -> Case:
        shape = random.shape()
        values = {name: random.floats(shape) > 0 for name in "xy"[:count]}
        return values, function(*map(t, values.values()))

    return case


def _reduced(function: Callable[..., torch.Tensor]) -> Callable[[Random], Case]:
    def case(random: Random) -> Case:
        x, keep = random.floats(random.shape(2)), random.flag()
        axes = random.draw(st.lists(st.integers(0, x.ndim - 1), min_size=1, max_size=x.ndim, unique=True))
        return {"x": x, "axes": np.array(axes, np.int32), "keep_dims": keep}, function(t(x), dim=axes, keepdim=keep)

    return case


def _division(random: Random) -> Case:
    shape = random.shape()
    if random.flag():
        x, y = random.floats(shape), random.floats(shape, 0.5, 4)
        return {"x": x, "y": y}, t(x) / t(y)
    a, b = random.wholes(shape, 0, 10**6), random.wholes(shape, 1, 999)
    return {"x": a, "y": b}, torch.div(t(a), t(b), rounding_mode="trunc")


def _whole_division(function: Callable[..., torch.Tensor]) -> Callable[[Random], Case]:
    def case(random: Random) -> Case:
        shape = random.shape()
        x, y = random.wholes(shape, -500, 500), random.wholes(shape, 1, 40)
        return {"x": x, "y": y}, function(t(x), t(y))

    return case


def _power(random: Random) -> Case:
    x = random.floats(random.shape(), 0.1, 3)
    return {"x": x, "y": np.float32(1.5)}, t(x) ** 1.5


def _cast(random: Random) -> Case:
    x = random.floats(random.shape(), -9, 9)
    kind, dtype = random.draw(st.sampled_from([("int32", torch.int32), ("bool", torch.bool), ("fp32", torch.float32)]))
    return {"x": x, "dtype": kind}, t(x).to(dtype)


def _select(random: Random) -> Case:
    shape = random.shape()
    cond, a, b = random.floats(shape) > 0, random.floats(shape), random.floats(shape)
    return {"cond": cond, "a": a, "b": b}, torch.where(t(cond), t(a), t(b))


def _expand(random: Random) -> Case:
    x = random.floats(random.shape(1, 3))
    axis = random.draw(st.integers(0, x.ndim))
    return {"x": x, "axes": np.array([axis], np.int32)}, t(x).unsqueeze(axis)


def _squeeze(random: Random) -> Case:
    x = random.floats((1, *random.shape(1, 3), 1))
    return {"x": x, "axes": np.array([0], np.int32)}, t(x).squeeze(0)


def _transpose(random: Random) -> Case:
    x = random.floats(random.shape())
    order = random.draw(st.permutations(range(x.ndim)))
    return {"x": x, "perm": np.array(order, np.int32)}, t(x).permute(*order)


def _reverse(random: Random) -> Case:
    x = random.floats(random.shape())
    axis = random.axis(x.shape)
    return {"x": x, "axes": np.array([axis], np.int32)}, t(x).flip(axis)


def _tile(random: Random) -> Case:
    x = random.floats(random.shape())
    times = random.draw(st.lists(st.integers(1, 3), min_size=x.ndim, max_size=x.ndim))
    return {"x": x, "reps": np.array(times, np.int32)}, t(x).repeat(times)


def _joined(function: Callable[..., torch.Tensor], name: str) -> Callable[[Random], Case]:
    def case(random: Random) -> Case:
        shape = random.shape()
        parts = tuple(random.floats(shape) for _ in range(random.draw(st.integers(1, 3))))
        axis = random.axis(shape)
        return {"values": parts, "axis": axis}, function([t(part) for part in parts], dim=axis)

    return case


def _matmul(random: Random) -> Case:
    n, k, m = random.shape(3, 3)
    x, y = random.floats((2, n, k)), random.floats((2, k, m))
    left, right = random.flag(), random.flag()
    inputs = {"x": x.swapaxes(1, 2) if left else x, "y": y.swapaxes(1, 2) if right else y}
    return {**inputs, "transpose_x": left, "transpose_y": right}, t(x) @ t(y)


def _conv(random: Random) -> Case:
    groups = random.draw(st.sampled_from([1, 2]))
    x, weight = random.floats((2, 4, 9, 8)), random.floats((6, 4 // groups, 3, 2))
    bias = random.floats((6,)) if random.flag() else None
    stride, dilation = random.draw(st.integers(1, 2)), random.draw(st.integers(1, 2))
    top, left = random.draw(st.integers(0, 2)), random.draw(st.integers(0, 2))
    inputs = {
        "x": x, "weight": weight, "bias": bias, "strides": [stride] * 2, "dilations": [dilation] * 2,
        "groups": groups, "pad_type": "custom", "pad": [top, top, left, left],
    }  # fmt: skip
    expected = F.conv2d(t(x), t(weight), None if bias is None else t(bias), stride, (top, left), dilation, groups)
    return {name: value for name, value in inputs.items() if value is not None}, expected


def _max_pool(random: Random) -> Case:
    x, size, stride = random.floats((1, 3, 9, 7)), random.draw(st.integers(1, 4)), random.draw(st.integers(1, 3))
    padding = size // 2
    inputs = {"x": x, "kernel_sizes": [size] * 2, "strides": [stride] * 2, "pad_type": "custom", "pad": [padding] * 4}
    return inputs, F.max_pool2d(t(x), size, stride, padding)


def _norm(batch: bool) -> Callable[[Random], Case]:
    def case(random: Random) -> Case:
        x, gamma, beta = random.floats((2, 3, 5, 4)), random.floats((3,)), random.floats((3,))
        inputs = {"x": x, "gamma": gamma, "beta": beta, "epsilon": np.float32(1e-3)}
        if not batch:
            return inputs, F.instance_norm(t(x), weight=t(gamma), bias=t(beta), eps=1e-3)
        mean, variance = random.floats((3,)), random.floats((3,), 0.5, 2)
        expected = F.batch_norm(t(x), t(mean), t(variance), t(gamma), t(beta), eps=1e-3)
        return {**inputs, "mean": mean, "variance": variance}, expected

    return case


def _pad(random: Random) -> Case:
    x = random.floats(random.shape(2))
    amounts = random.draw(st.lists(st.integers(0, 3), min_size=4, max_size=4))
    # torch counts from the last axis.
    return {"x": x, "pad": amounts, "mode": "constant", "constant_val": np.float32(0.5)}, F.pad(
        t(x), [*amounts[2:], *amounts[:2]], value=0.5
    )


def _slice(random: Random) -> Case:
    x = random.floats((5, 6))
    begin, end, step = random.draw(st.integers(0, 3)), random.draw(st.integers(-1, 6)), random.draw(st.integers(1, 2))
    squeeze, open_end = random.flag(), random.flag()
    row = random.draw(st.integers(0, 4))
    inputs = {
        "x": x, "begin": [row, begin], "end": [row + 1, end], "stride": [1, step], "begin_mask": [False, False],
        "end_mask": [False, open_end], "squeeze_mask": [squeeze, False],
    }  # fmt: skip
    whole = t(x)[row : row + 1, begin : None if open_end else end : step]
    return inputs, whole[0] if squeeze else whole


def _gather(random: Random) -> Case:
    x = random.floats(random.shape(2))
    axis = random.axis(x.shape)
    index = random.wholes((7,), 0, x.shape[axis])
    return {"x": x, "indices": index, "axis": axis}, t(x).index_select(axis, t(index))


def _gather_along(random: Random) -> Case:
    x = random.floats(random.shape(2))
    axis = random.axis(x.shape)
    index = random.wholes(x.shape, 0, x.shape[axis])
    return {"x": x, "indices": index, "axis": axis}, t(x).gather(axis, t(index).long())


def _scatter(random: Random) -> Case:
    mode = random.draw(st.sampled_from(["add", "max", "min", "update"]))
    data, updates = np.round(random.floats((9,))), np.round(random.floats((9,)))
    # Which of several updates stays is nowhere said.
    index = random.rng.permutation(9).astype(np.int32) if mode == "update" else random.wholes((9,), 0, 9)
    expected = data.copy()
    {"add": np.add, "max": np.maximum, "min": np.minimum}.get(mode, _put).at(expected, index, updates)
    return {"data": data, "indices": index, "updates": updates, "axis": 0, "mode": mode}, torch.from_numpy(expected)


class _put:  # noqa: N801 -- stands for a function of numpy
    @staticmethod
    def at(values: np.ndarray, index: np.ndarray, updates: np.ndarray) -> None:
        values[index] = updates


def _topk(random: Random) -> Case:
    x = random.rng.permutation(24).astype(np.float32).reshape(4, 6)  # without ties
    count, ascending = random.draw(st.integers(1, 6)), random.flag()
    values, index = torch.topk(t(x), count, dim=1, largest=not ascending)
    return {"x": x, "k": count, "axis": 1, "ascending": ascending}, (values, index.int())


def _cumsum(random: Random) -> Case:
    x = random.wholes(random.shape(), 0, 9)
    axis = random.axis(x.shape)
    return {"x": x, "axis": axis}, t(x).cumsum(axis).int()


def _reshape(random: Random) -> Case:
    x = random.floats((2, 3, 4))
    shape = random.draw(st.sampled_from([[6, 4], [-1], [0, -1], [4, 3, 2, 1]]))
    return {"x": x, "shape": np.array(shape, np.int32)}, t(x).reshape([2 if size == 0 else size for size in shape])


def _split(random: Random) -> Case:
    x = random.floats((4, 6))
    if random.flag():
        return {"x": x, "axis": 1, "split_sizes": np.array([1, 2, 3])}, t(x).split([1, 2, 3], 1)
    return {"x": x, "axis": 1, "num_splits": 3}, t(x).split(2, 1)


def _upsample(random: Random) -> Case:
    x = random.floats((1, 2, 3, 4))
    rows, columns = random.draw(st.integers(1, 3)), random.draw(st.integers(1, 3))
    inputs = {"x": x, "scale_factor_height": rows, "scale_factor_width": columns}
    return inputs, F.interpolate(t(x), scale_factor=(float(rows), float(columns)), mode="nearest")


def _conv_transpose(random: Random) -> Case:
    groups = random.draw(st.sampled_from([1, 2]))
    x, weight = random.floats((2, 4, 5, 6)), random.floats((4, 6 // groups, 3, 2))
    bias = random.floats((6,)) if random.flag() else None
    stride, dilation = random.draw(st.integers(1, 3)), random.draw(st.integers(1, 2))
    padding = random.draw(st.integers(0, 1))
    inputs = {
        "x": x, "weight": weight, "bias": bias, "strides": [stride] * 2, "dilations": [dilation] * 2,
        "groups": groups, "pad_type": "custom", "pad": [padding] * 4,
    }  # fmt: skip
    expected = F.conv_transpose2d(
        t(x), t(weight), None if bias is None else t(bias), stride, padding, 0, groups, dilation
    )
    if random.flag():
        inputs["output_shape"] = np.array(expected.shape, np.int32)
    return {name: value for name, value in inputs.items() if value is not None}, expected


def _crop(random: Random) -> Case:
    x = random.floats((2, 7, 8))
    top, bottom, left, right = random.draw(st.lists(st.integers(0, 3), min_size=4, max_size=4))
    inputs = {"x": x, "crop_height": [top, bottom], "crop_width": [left, right]}
    return inputs, F.pad(t(x), [-left, -right, -top, -bottom])


def _linear(random: Random) -> Case:
    x, weight = random.floats((2, 3, 5)), random.floats((4, 5))
    if random.flag():
        return {"x": x, "weight": weight}, t(x) @ t(weight).T
    bias = random.floats((4,))
    return {"x": x, "weight": weight, "bias": bias}, t(x) @ t(weight).T + t(bias)


def _softmax(random: Random) -> Case:
    x = random.floats(random.shape())
    axis = random.axis(x.shape) - random.draw(st.sampled_from([0, x.ndim]))
    return {"x": x, "axis": axis}, t(x).exp() / t(x).exp().sum(axis, keepdim=True)


def _layer_norm(random: Random) -> Case:
    x, count = random.floats((2, 3, 4, 5)), random.draw(st.integers(1, 2))
    gamma, beta = random.floats(x.shape[-count:]), random.floats(x.shape[-count:])
    axes = np.arange(-count, 0, dtype=np.int32)
    dims = list(range(-count, 0))
    centred = t(x) - t(x).mean(dims, keepdim=True)
    variance = t(x).var(dims, correction=0, keepdim=True)
    inputs = {"x": x, "gamma": gamma, "beta": beta, "axes": axes, "epsilon": np.float32(1e-3)}
    return inputs, centred / (variance + 1e-3).sqrt() * t(gamma) + t(beta)


def _upsample_bilinear(random: Random) -> Case:
    x, aligned = random.floats((1, 2, 3, 4)), random.flag()
    rows, columns = random.draw(st.sampled_from([1.0, 2.0, 2.5])), random.draw(st.integers(1, 4))
    inputs = {"x": x, "scale_factor_height": rows, "scale_factor_width": columns, "align_corners": aligned}
    scale = (rows, float(columns))
    return inputs, F.interpolate(
        t(x), scale_factor=scale, mode="bilinear", align_corners=aligned, recompute_scale_factor=True
    )


def _range(random: Random) -> Case:
    start, count = random.draw(st.integers(0, 9)), random.draw(st.integers(1, 9))
    inputs = {"start": np.int32(start), "end": np.int32(start + 2 * count), "step": np.int32(2)}
    return inputs, torch.arange(start, start + 2 * count, 2).int()


def _fill(random: Random) -> Case:
    shape = random.shape()
    return {"shape": np.array(shape, np.int32), "value": np.float32(1.5)}, torch.full(shape, 1.5)


def _fill_like(random: Random) -> Case:
    x = random.floats(random.shape())
    return {"ref_tensor": x, "value": np.int32(3)}, torch.full_like(t(x), 3, dtype=torch.int32)


CASES: dict[str, Callable[[Random], Case]] = {
    "add": _two(torch.add), "sub": _two(torch.sub), "mul": _two(torch.mul), "maximum": _two(torch.maximum),
    "minimum": _two(torch.minimum), "greater": _two(torch.gt), "greater_equal": _two(torch.ge), "less": _two(torch.lt),
    "less_equal": _two(torch.le), "equal": _two(torch.eq), "not_equal": _two(torch.ne), "real_div": _division,
    "floor_div": _whole_division(torch.floor_divide), "mod": _whole_division(torch.remainder), "pow": _power,
    "logical_and": _logical(torch.logical_and), "logical_or": _logical(torch.logical_or),
    "logical_xor": _logical(torch.logical_xor), "logical_not": _logical(torch.logical_not, 1),
    "abs": _one(torch.abs), "floor": _one(torch.floor), "ceil": _one(torch.ceil), "round": _one(torch.round),
    "sqrt": _one(torch.sqrt, 0, 9), "square": _one(torch.square), "exp": _one(torch.exp),
    "log": _one(torch.log, 0.1, 9, epsilon=0.0), "rsqrt": _one(torch.rsqrt, 0.1, 9, epsilon=0.0),
    "sigmoid": _one(torch.sigmoid), "tanh": _one(torch.tanh), "relu": _one(torch.relu),
    "clip": _one(lambda x: x.clamp(-1, 2), alpha=np.float32(-1), beta=np.float32(2)),
    "identity": _one(torch.clone), "cast": _cast, "select": _select, "expand_dims": _expand, "squeeze": _squeeze,
    "transpose": _transpose, "reverse": _reverse, "tile": _tile, "stack": _joined(torch.stack, "stack"),
    "concat": _joined(torch.cat, "concat"), "matmul": _matmul, "reduce_sum": _reduced(torch.sum),
    "reduce_mean": _reduced(torch.mean), "reduce_max": _reduced(torch.amax), "reduce_min": _reduced(torch.amin),
    "conv": _conv, "batch_norm": _norm(batch=True), "instance_norm": _norm(batch=False), "max_pool": _max_pool,
    "pad": _pad, "slice_by_index": _slice, "gather": _gather, "gather_along_axis": _gather_along,
    "scatter_along_axis": _scatter, "topk": _topk, "cumsum": _cumsum, "reshape": _reshape, "split": _split,
    "conv_transpose": _conv_transpose, "crop": _crop, "linear": _linear, "softmax": _softmax,
    "layer_norm": _layer_norm, "upsample_bilinear": _upsample_bilinear,
    "gelu": _one(lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2),
    "upsample_nearest_neighbor": _upsample, "range_1d": _range, "fill": _fill, "fill_like": _fill_like,
}  # fmt: skip
