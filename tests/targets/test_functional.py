"""Operators that write to their input are replaced only where that changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from instanseg_export.targets.capture import CapturedProgram
from instanseg_export.targets.onnx.functional import UseFunctionalOperators
from instanseg_export.targets.onnx.translate import translate
from instanseg_export.targets.program import changeable, graphs


def _relu(x: Tensor) -> Tensor:
    return (x * 2).relu_() + 1


def _sum(x: Tensor) -> Tensor:
    return (x + 1).add_(x).div_(3).clamp_(max=1)


def _read_again(x: Tensor) -> Tensor:
    doubled = x * 2
    return doubled.relu_() + doubled


def _read_before(x: Tensor) -> Tensor:
    doubled = x * 2
    before = doubled.exp()
    return doubled.relu_() + before


def _seen_through_a_view(x: Tensor) -> Tensor:
    doubled = x * 2
    row = doubled[:, :, 0]
    doubled.relu_()
    return row + 1


def _view_is_written(x: Tensor) -> Tensor:
    doubled = x * 2
    doubled[:, :, 0].add_(5)
    return doubled + 1


def _input_is_written(x: Tensor) -> Tensor:
    x.relu_()
    return x + 1


def _slice_is_filled(x: Tensor) -> Tensor:
    doubled = x * 2
    doubled[:, 1:] = 7
    return doubled


def _spelt_otherwise(x: Tensor) -> Tensor:
    inside = (x > 0.2) & (x < 0.7) | (x == 0)
    return (1 - x) * inside.to(torch.float32) + x.to(torch.int64).to(x.device)


def _flattened(x: Tensor) -> Tensor:
    first, second = x.flatten(1, 2), x.permute(0, 2, 1, 3).flatten(1, 2)
    return first * 2 + second + x.flatten().sum() + x.flatten(0, 1).flatten(0, -2).mean()


def _normalised(x: Tensor) -> Tensor:
    mean, variance = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([1.0, 2.0, 0.5])
    return nn.functional.batch_norm(x, mean, variance, weight=variance, bias=mean, eps=1e-3)


def _enlarged(x: Tensor) -> Tensor:
    weight = torch.arange(3 * 2 * 3 * 3, dtype=torch.float32).view(3, 2, 3, 3) / 50
    return nn.functional.conv_transpose2d(x, weight, stride=2, padding=1, output_padding=(1, 0))


def _in_order(x: Tensor) -> Tensor:
    return x.argsort(-1, descending=True) + x.flatten(1).argsort().sum()


def _copied(x: Tensor) -> Tensor:
    copy = x.to(x.dtype, copy=True)
    copy.add_(1)
    return copy * x


def _copied_by_device(x: Tensor) -> Tensor:
    copy = x.to(x.device, x.dtype, copy=True)
    return copy.mul_(3) + x


def _not_copied(x: Tensor) -> Tensor:
    doubled = x * 2
    same = doubled.to(torch.float32)
    same.add_(1)
    return same * doubled


def _already_in_order(x: Tensor) -> Tensor:
    doubled = x * 2
    doubled.contiguous().add_(1)
    return doubled


def _one_of_several(x: Tensor) -> Tensor:
    return (x * 2).sort(-1)[0].relu_() + _normalised(x * 2).relu_()


def _average(x: Tensor) -> Tensor:
    return nn.functional.adaptive_avg_pool2d(x, 1) + nn.functional.adaptive_avg_pool2d(x * 3, (1, 1))


def _rotated(x: Tensor) -> Tensor:
    turns = [x.rot90(turns, dims) for turns in range(-3, 6, 2) for dims in ((2, 3), (3, 2), (-1, 1))]
    halves = [(x * 2).rot90(turns, (1, 3)).relu_() for turns in (-2, 0, 2)]
    return torch.stack([turned.sum(dim=(1, 2, 3)) for turned in turns] + [half[:, 0, 0, 0] for half in halves]) + (
        torch.stack([turned[:, 0, 0, 0] for turned in turns] + [half[:, 1, -1, 0] for half in halves])
    )


def _one_of_several_views(x: Tensor) -> Tensor:
    doubled = x * 2
    doubled.split([1, 2], dim=1)[1].relu_()
    return doubled


QUICK = [
    _normalised,
    _enlarged,
    _in_order,
    _relu,
    _sum,
    _read_again,
    _read_before,
    _spelt_otherwise,
    _flattened,
    _not_copied,
    _already_in_order,
    _one_of_several,
    _average,
    _rotated,
]
"""Programs that need no tracing again."""

OTHERS = [
    _one_of_several_views,
    _copied,
    _copied_by_device,
    _seen_through_a_view,
    _view_is_written,
    _input_is_written,
    _slice_is_filled,
]


class _Module(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _captured(function: Callable[[Tensor], Tensor]) -> CapturedProgram:
    sizes = {axis: torch.export.Dim(f"s{axis}", min=1, max=64) for axis in (0, 2)}
    program = torch.export.export(_Module(function), (torch.rand(2, 3, 5, 4),), dynamic_shapes=(sizes,))
    return CapturedProgram(program, {}, ("result",), ("batch", "channels", "height", "width"))


def _writes(program: torch.export.ExportedProgram) -> list[str]:
    nodes = [node for module in graphs(program) for node in module.graph.nodes if node.op == "call_function"]
    return [str(node.target) for node in nodes if getattr(getattr(node.target, "_schema", None), "is_mutable", False)]


@pytest.mark.parametrize("function", [*QUICK, *OTHERS])
def test_the_translated_program_finds_the_same(function: Callable[[Tensor], Tensor]) -> None:
    model = translate(_captured(function), ["x"], ["result"])
    session = ort.InferenceSession(ir.to_proto(model).SerializeToString(), providers=["CPUExecutionProvider"])
    for shape in ((2, 3, 5, 4), (1, 3, 7, 4), (3, 3, 1, 4)):
        image = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
        (found,) = session.run(None, {"x": image})
        np.testing.assert_allclose(found, function(torch.from_numpy(image.copy())).numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("function", QUICK)
def test_what_nobody_reads_afterwards_is_not_written_to(function: Callable[[Tensor], Tensor]) -> None:
    program = changeable(_captured(function).program)
    UseFunctionalOperators()(program)
    assert _writes(program) == []


@pytest.mark.parametrize("function", OTHERS)
def test_what_is_read_afterwards_is_left_to_the_exporter(function: Callable[[Tensor], Tensor]) -> None:
    program = changeable(_captured(function).program)
    UseFunctionalOperators()(program)
    assert _writes(program)
