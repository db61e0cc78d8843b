"""What Apple GPUs lack is noticed, in scripted modules too."""

from __future__ import annotations

import torch
from torch import Tensor

from instanseg_export.testing.apple_gpus import OperatorsSeen


class Lacking(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        index = torch.zeros([3], dtype=torch.int64)
        lowest = index.scatter_reduce(0, index, index, "amin")
        total: Tensor = torch.linalg.eigvals(x).abs().to(torch.float64).sum() + lowest
        return total


def test_what_apple_gpus_lack_is_seen() -> None:
    for module in (Lacking(), torch.jit.script(Lacking())):
        with torch.no_grad(), OperatorsSeen() as seen:
            module(torch.eye(3))
        assert any("eig" in name for name in seen.missing)
        assert "aten::scatter_reduce.two of int64" in seen.missing
        assert "aten::sum" in seen.doubles


def test_what_they_have_is_not() -> None:
    with torch.no_grad(), OperatorsSeen() as seen:
        torch.nn.functional.pad(torch.eye(3), [1, 1]).cumsum(0).add(1)
    assert (seen.missing, seen.doubles) == (set(), set())
    assert seen.count >= 3
