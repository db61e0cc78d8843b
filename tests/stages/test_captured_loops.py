"""Loops that are exported compute what they compute in Python, whatever their steps were made of."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from instanseg_export.stages import loops


class Pair(NamedTuple):
    """What a step reads: a tensor, and a number that nothing changes."""

    values: Tensor
    factor: float


def _below(limit: Tensor, total: Tensor, count: Tensor) -> Tensor:
    return (total.sum() < limit) & (count < 20)


def _add(pair: Pair, names: tuple[str, ...], width: int, total: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    assert names == ("a", "b")
    return total + pair.values * pair.factor + width, count + 1


def _near(limit: Tensor, other: Tensor, total: Tensor) -> Tensor:
    return (total < limit + other).all()


def _grow(limit: Tensor, values: Tensor, total: Tensor) -> tuple[Tensor]:
    return (total + values + limit / 4,)


class Shares(nn.Module):
    """The condition reads one tensor twice, and the step reads it too."""

    def forward(self, image: Tensor) -> Tensor:
        limit = image.abs().amax()
        state = (torch.zeros_like(image),)
        return loops.while_true(partial(_near, limit, limit), partial(_grow, limit, image.abs()), state)[0]


class Counts(nn.Module):
    """Adds until a limit is reached; the width of the image is one of the numbers that a step reads."""

    def forward(self, image: Tensor) -> Tensor:
        pair = Pair(image.abs().mean(2), 1.5)
        state = torch.zeros_like(pair.values), torch.zeros([], dtype=torch.int64)
        step = partial(partial(_add, pair, ("a", "b")), image.shape[2])
        total, count = loops.while_true(partial(_below, image.abs().max() * 100), step, state)
        return total * count


class Rows(nn.Module):
    """Applies a layer to each row."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 3)
        self.shift = nn.Parameter(torch.tensor(0.5))

    def row(self, shift: Tensor, row: Tensor) -> Tensor:
        result: Tensor = self.layer(row[:4]) + shift
        return result

    def both(self, row: Tensor) -> tuple[Tensor, Tensor]:
        return self.layer(row[:4]), row.sum() + self.shift

    def forward(self, image: Tensor) -> Tensor:
        rows = image.flatten(0, 1)
        one = loops.map_rows(partial(self.row, image.mean()), rows, self.layer)
        two, three = loops.map_rows_to_tuples(self.both, rows, self)
        return one + two + three[:, None]


@pytest.mark.parametrize("module", [Counts(), Rows(), Shares()], ids=lambda module: type(module).__name__)
def test_an_exported_loop_computes_the_same(module: nn.Module) -> None:
    module = module.eval().requires_grad_(False)
    sizes = {axis: torch.export.Dim(f"s{axis}", min=1 if axis == 0 else 4, max=99) for axis in (0, 2)}
    program = torch.export.export(module, (torch.rand(2, 3, 7),), dynamic_shapes=(sizes,))
    for shape in ((2, 3, 7), (1, 3, 5), (5, 3, 60)):
        image = torch.rand(shape, generator=torch.Generator().manual_seed(1)) - 0.4
        torch.testing.assert_close(program.module()(image), module(image))


@pytest.mark.parametrize("module", [Counts(), Rows(), Shares()], ids=lambda module: type(module).__name__)
def test_a_loop_gets_no_tensor_twice(module: nn.Module) -> None:
    """Compilers refuse that, for one of the two might be written to."""
    program = torch.export.export(module.eval().requires_grad_(False), (torch.rand(2, 3, 7),))
    loops_of = torch.ops.higher_order.while_loop, torch.ops.higher_order.scan
    found = [node for node in program.graph.nodes if node.target in loops_of]
    assert found
    for node in found:
        inputs = [one for one in node.args[3] if isinstance(one, torch.fx.Node)]
        assert len(set(inputs)) == len(inputs)


def test_a_step_keeps_no_weights_of_its_own() -> None:
    """They would be stored twice, and could not be given to what runs the loop."""
    program = torch.export.export(Rows().eval().requires_grad_(False), (torch.rand(2, 3, 7),))
    assert sum(tensor.numel() for tensor in program.state_dict.values()) == 4 * 3 + 3 + 1
    bodies = [one for name, one in program.graph_module.named_children() if isinstance(one, torch.fx.GraphModule)]
    assert bodies
    assert not any(list(body.parameters()) + list(body.buffers()) for body in bodies)
