"""The one place that knows how a loop whose length depends on the data is written for each tracer.

A stage that loops writes a step as a module-level function of tensors, and the loop itself twice in the same breath:

    if torch.jit.is_scripting():
        while bool(...):            # TorchScript compiles this branch only
            state = step(state)
    else:
        state = loops.while_true(..., step, (state,))

``torch.jit.is_scripting`` is resolved when TorchScript compiles, so the other branch is never seen by it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

__all__ = ["map_rows", "map_rows_to_tuples", "while_true"]


def while_true(
    condition: Callable[..., Tensor], step: Callable[..., tuple[Tensor, ...]], state: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Repeat ``state = step(*state)`` while ``condition(*state)``, a boolean scalar, holds.

    Args:
        condition: from the state to a boolean scalar.
        step: from a state to the next; shapes and types stay, and no input is returned unchanged.
        state: to begin with.
    """
    if torch.compiler.is_exporting():
        result: tuple[Tensor, ...] = torch.while_loop(condition, step, state)
        return result
    while bool(condition(*state)):
        state = step(*state)
    return state


def _in_tuple(function: Callable[[Tensor], Tensor], row: Tensor) -> tuple[Tensor, ...]:
    return (function(row),)


def map_rows(function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """Apply ``function`` to each ``rows[i]`` in turn and stack the results, so that only one is in work at a time.

    Args:
        function: from a slice of ``rows`` to a tensor of fixed shape.
        rows: (N, ...) with N >= 1.
    """
    return map_rows_to_tuples(partial(_in_tuple, function), rows)[0]


def map_rows_to_tuples(function: Callable[[Tensor], tuple[Tensor, ...]], rows: Tensor) -> tuple[Tensor, ...]:
    """Do the same for a ``function`` that returns several tensors; each is stacked by itself."""
    if torch.compiler.is_exporting():
        from torch._higher_order_ops.scan import scan

        def step(count: Tensor, row: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            return count + 1, function(row)

        stacked: tuple[Tensor, ...] = scan(step, torch.zeros((), dtype=torch.int64), rows)[1]
        return stacked
    return tuple(torch.stack(results) for results in zip(*(function(row) for row in rows), strict=True))
