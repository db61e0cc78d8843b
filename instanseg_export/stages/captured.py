"""Loops as torch.export writes them: a graph of its own for each step, whose inputs are all tensors that it reads.

``torch.while_loop`` and ``scan`` find these inputs by compiling the step, which takes longer than all the rest of an
export. Here they are what the step was made of by ``functools.partial``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

__all__ = ["captured_map", "captured_while"]


class _Lifted:
    """A function with what it was made of as further arguments.

    Args:
        function: or what ``functools.partial`` made of one.
        weights: a module whose weights it reads.
    """

    def __init__(self, function: Callable[..., Any], weights: nn.Module | None = None) -> None:
        nested: Any = function
        arguments: tuple[Any, ...] = ()
        while isinstance(nested, partial):
            assert not nested.keywords
            nested, arguments = nested.func, (*nested.args, *arguments)
        self._function = nested
        self._leaves, self._spec = pytree.tree_flatten(arguments)
        assert not any(isinstance(leaf, partial) for leaf in self._leaves), "tensors in there would not be found"
        self._places = [place for place, leaf in enumerate(self._leaves) if isinstance(leaf, Tensor | torch.SymInt)]
        self._weights = weights
        tensors = {} if weights is None else dict(weights.named_parameters()) | dict(weights.named_buffers())
        self._names = list(tensors)
        self.inputs = [*(self._leaves[place] for place in self._places), *tensors.values()]

    def __call__(self, state: Sequence[Tensor], inputs: Sequence[Any]) -> Any:
        """Call the function with other values for its inputs."""
        leaves = list(self._leaves)
        for place, value in zip(self._places, inputs, strict=False):
            leaves[place] = value
        arguments = (*pytree.tree_unflatten(leaves, self._spec), *state)
        if self._weights is None:
            return self._function(*arguments)
        values = {f"inner.{name}": value for name, value in zip(self._names, inputs[len(self._places) :], strict=True)}
        return torch.func.functional_call(_Caller(self._weights), values, (self._function, *arguments))


class _Caller(nn.Module):
    """Calls a function that reads the weights of a module."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """See the class."""
        return function(*arguments)


def _distinct(inputs: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """Return inputs without repetitions, and the place of each in them: compilers refuse a tensor that comes twice."""
    distinct = list({id(one): one for one in inputs}.values())
    places = {id(one): place for place, one in enumerate(distinct)}
    return distinct, [places[id(one)] for one in inputs]


def captured_while(
    condition: Callable[..., Tensor], step: Callable[..., tuple[Tensor, ...]], state: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """See :func:`.loops.while_true`."""
    asked, done = _Lifted(condition), _Lifted(step)
    inputs, places = _distinct([*asked.inputs, *done.inputs])
    for_asked, for_done = places[: len(asked.inputs)], places[len(asked.inputs) :]
    carried = len(state)

    def ask(*values: Any) -> Tensor:
        result: Tensor = asked(values[:carried], [values[carried + place] for place in for_asked])
        return result

    def do(*values: Any) -> tuple[Tensor, ...]:
        return tuple(done(values[:carried], [values[carried + place] for place in for_done]))

    result: tuple[Tensor, ...] = tuple(torch.ops.higher_order.while_loop(ask, do, state, tuple(inputs)))
    return result


def captured_map(
    function: Callable[[Tensor], Tensor | tuple[Tensor, ...]], rows: Tensor, weights: nn.Module | None
) -> tuple[Tensor, ...]:
    """See :func:`.loops.map_rows_to_tuples`; a tensor alone is a tuple of one."""
    lifted = _Lifted(function, weights)
    inputs, places = _distinct(lifted.inputs)

    def step(count: Tensor, row: Tensor, *values: Any) -> list[Tensor]:
        results = lifted((row,), [values[place] for place in places])
        return [count + 1, *([results] if isinstance(results, Tensor) else results)]

    nothing = torch.zeros((), dtype=torch.int64)
    _, *stacked = torch.ops.higher_order.scan(step, [nothing], [rows], tuple(inputs))
    return tuple(stacked)
