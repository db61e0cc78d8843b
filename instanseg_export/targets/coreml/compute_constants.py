"""Large constants that are easily computed are computed, not stored: a pass over MIL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["STORED", "compute_constants"]

STORED = 4096
"""Numbers up to which a constant is stored as it is."""


def compute_constants(program: Any) -> None:
    """Replace large constants of one value, and of whole numbers that count up, each maybe several times in a row.

    Args:
        program: of coremltools' MIL; it is changed in place.
    """
    for function in program.functions.values():
        places = {operation: place for place, operation in enumerate(function.operations)}
        for operation in places:
            if operation.op_type == "const":
                _replace(function, operation, places)


def _replace(block: Any, operation: Any, places: Mapping[Any, int]) -> None:
    from coremltools.converters.mil import Builder
    from coremltools.converters.mil.mil.scope import ScopeInfo

    old = operation.outputs[0]
    array = np.asarray(old.val)
    if array.size <= STORED or not old.child_ops:
        return
    # Before the first that reads it, so that it is not held from the start.
    first = min(old.child_ops, key=lambda reader: places[reader])
    origin = [ScopeInfo(source=source, data=data) for source, data in operation.scopes.items()]
    with block, Builder.scope(*origin):
        if (array == array.flat[0]).all():
            new = Builder.fill(shape=np.array(array.shape, np.int32), value=array.flat[0], before_op=first)
        elif (counted := _counted(array)) is not None:
            numbers, times = counted
            start, step = numbers[0], numbers[1] - numbers[0]
            new = Builder.range_1d(start=start, end=numbers[-1] + step, step=step, before_op=first)
            if times > 1:
                new = Builder.expand_dims(x=new, axes=[1], before_op=first)
                new = Builder.tile(x=new, reps=[1, times], before_op=first)
            if new.shape != array.shape:
                new = Builder.reshape(x=new, shape=np.array(array.shape, np.int32), before_op=first)
        else:
            return
        block.replace_uses_of_var_after_op(anchor_op=new.op, old_var=old, new_var=new)
        block.remove_ops([operation])


def _counted(array: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], int] | None:
    """Return numbers that count up and how many times in a row each stands; None where that is not all."""
    flat = array.reshape(-1)
    times = int(np.argmax(flat != flat[0]))
    if array.dtype not in (np.float32, np.int32) or flat.size % times:
        return None
    numbers = flat[::times]
    whole = np.array_equal(numbers, np.round(numbers)) and np.abs(numbers).max() < 2**24
    if not whole or not (np.diff(numbers) == numbers[1] - numbers[0]).all():
        return None
    return (numbers, times) if np.array_equal(np.repeat(numbers, times), flat) else None
