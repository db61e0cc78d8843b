"""Runs a stage as it is and compiled by TorchScript, and insists on equal bits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch

__all__ = ["agreed", "same"]


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = torch.jit.script(function)
    return compiled


def same(first: Any, second: Any) -> bool:
    """Tell whether two results are equal to the last bit, types included."""
    if isinstance(first, tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return first.dtype == second.dtype and torch.equal(first, second)


def agreed(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of ``function``, which is the same when TorchScript compiles it."""
    result = function(*arguments)
    assert same(result, _compiled(function)(*arguments)), f"{function.__name__} changes when it is compiled"
    return result
