"""The one place that knows how a loop whose length depends on the data is written for each tracer.

A stage that loops writes a step as a module-level function of tensors, and the loop itself twice in the same breath:

    if torch.jit.is_scripting():
        while bool(...):            # TorchScript compiles this branch only
            state = step(state)
    else:
        state = loops.while_true(..., step, (state,))

``torch.jit.is_scripting`` is resolved when TorchScript compiles, so the other branch is never seen by it.

The static form of a forward has no such loops, since its runtimes know none. It is built within :func:`bounded`, where
a loop is a fixed number of steps, one after the other, and what did not come to its end in them is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .captured import captured_map, captured_while

__all__ = ["Bounded", "bounded", "is_bounded", "map_rows", "map_rows_to_tuples", "while_true"]


@dataclass(frozen=True)
class Bounded:
    """Loops without a condition.

    Attributes:
        unfinished: for each loop a boolean scalar, whether its condition still held after the last step.
    """

    unfinished: list[Tensor] = field(default_factory=list)


_bounded: ContextVar[Bounded | None] = ContextVar("bounded loops", default=None)


@contextmanager
def bounded() -> Iterator[Bounded]:
    """Make every loop in the block one of a fixed number of steps; a step beyond its end must change nothing."""
    result = Bounded()
    token = _bounded.set(result)
    try:
        yield result
    finally:
        _bounded.reset(token)


def is_bounded() -> bool:
    """Tell whether the static form of a forward is being built, in which nothing depends on the data but values."""
    return _bounded.get() is not None


def while_true(
    condition: Callable[..., Tensor],
    step: Callable[..., tuple[Tensor, ...]],
    state: tuple[Tensor, ...],
    *,
    bound: int = 8,
    enough: bool = False,
) -> tuple[Tensor, ...]:
    """Repeat ``state = step(*state)`` while ``condition(*state)``, a boolean scalar, holds.

    Args:
        condition: from the state to a boolean scalar.
        step: from a state to the next; shapes and types stay, and no input is returned unchanged.
        state: to begin with.
        bound: how many steps there are in the static form of a forward.
        enough: whether so many are always enough; otherwise it is told when they were not.
    """
    within = _bounded.get()
    if within is not None:
        for _ in range(bound):
            state = step(*state)
        if not enough:
            within.unfinished.append(condition(*state))
        return state
    if torch.compiler.is_exporting():
        return captured_while(condition, step, state)
    while bool(condition(*state)):
        state = step(*state)
    return state


def map_rows(function: Callable[[Tensor], Tensor], rows: Tensor, weights: nn.Module | None = None) -> Tensor:
    """Apply ``function`` to each ``rows[i]`` in turn and stack the results, so that only one is in work at a time.

    Args:
        function: from a slice of ``rows`` to a tensor of fixed shape.
        rows: (N, ...) with N >= 1.
        weights: a module whose weights the function reads, where it reads any.
    """
    if torch.compiler.is_exporting():
        return captured_map(function, rows, weights)[0]
    return torch.stack([function(row) for row in rows])


def map_rows_to_tuples(
    function: Callable[[Tensor], tuple[Tensor, ...]], rows: Tensor, weights: nn.Module | None = None
) -> tuple[Tensor, ...]:
    """Do the same for a ``function`` that returns several tensors; each is stacked by itself."""
    if torch.compiler.is_exporting():
        return captured_map(function, rows, weights)
    return tuple(torch.stack(results) for results in zip(*(function(row) for row in rows), strict=True))
