"""What Core ML's converter has no operator for, or makes floating-point numbers of, in operators that it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["decompositions"]


def decompositions() -> dict[Any, Callable[..., Any]]:
    """Return the table for ``ExportedProgram.run_decompositions``."""
    import torch

    aten = torch.ops.aten
    return {
        # Of bits in torch, of truth values here: the stages apply them to nothing else in the static form.
        aten.__and__.Tensor: torch.logical_and,
        aten.__or__.Tensor: torch.logical_or,
        aten.bitwise_and.Tensor: torch.logical_and,
        aten.bitwise_or.Tensor: torch.logical_or,
        aten.bitwise_not.default: torch.logical_not,
        aten.alias.default: _same,
        aten.clamp.default: _clamp_whole,
        aten.div.Tensor_mode: _divide_whole,
        aten.full.default: _scalar,
        aten.ones.default: partial(_scalar_of, 1),
        aten.zeros.default: partial(_scalar_of, 0),
        **{
            operator: partial(_with_number, operator)
            for operator in (aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor)
        },
    }


def _same(x: Tensor) -> Tensor:
    return x.view(x.shape)


def _scalar(size: Sequence[int], value: float, *, dtype: torch.dtype | None = None, **more: Any) -> Any:
    """Make a scalar of one number: the converter takes its empty shape for a list of floating-point numbers."""
    import torch

    return NotImplemented if size else torch.full([1], value, dtype=dtype).squeeze(0)


def _scalar_of(value: int, size: Sequence[int], *, dtype: torch.dtype | None = None, **more: Any) -> Any:
    import torch

    return _scalar(size, value, dtype=dtype or torch.float32)


def _clamp_whole(x: Tensor, low: float | None = None, high: float | None = None) -> Any:
    """Clamp whole numbers as such: a missing bound would be the largest floating-point number."""
    import torch

    if x.dtype.is_floating_point:
        return NotImplemented
    if low is not None:
        x = torch.maximum(x, torch.full([1], low, dtype=x.dtype))
    return x if high is None else torch.minimum(x, torch.full([1], high, dtype=x.dtype))


def _divide_whole(x: Tensor, y: Any, *, rounding_mode: str | None = None) -> Any:
    """Divide whole numbers that are not negative and below 2**24, for which float32 gives the exact quotient."""
    import torch

    if x.dtype.is_floating_point or rounding_mode is None:
        return NotImplemented
    return torch.floor(x.to(torch.float32) / y).to(x.dtype)


def _with_number(operator: Any, x: Any, y: Any, **more: Any) -> Any:
    """Give a number beside a float16 tensor that type: the converter would make both float32, and all that follows."""
    import torch

    if more or not isinstance(x, torch.Tensor) or x.dtype != torch.float16 or isinstance(y, torch.Tensor):
        return NotImplemented
    return operator(x, torch.full([1], y, dtype=torch.float16))
