"""Free sizes get names that say what they are."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

__all__ = ["NameAxes"]


class NameAxes(ir.passes.InPlacePass):
    """Give the symbols of the image's shape the names of its axes, in inputs and outputs.

    Requires: the first input is the image, with one axis per name.
    Ensures: each of its axes has a fixed size or the name that belongs to it.

    Args:
        axes: names of the image's axes, in their order.
    """

    def __init__(self, axes: Sequence[str]) -> None:
        super().__init__()
        self.axes = tuple(axes)

    def requires(self, model: ir.Model) -> None:
        """See the class."""
        if not model.graph.inputs or (shape := model.graph.inputs[0].shape) is None or len(shape) != len(self.axes):
            raise ir.passes.PreconditionError(f"NameAxes: the first input has not the axes {', '.join(self.axes)}")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """See the class."""
        image = model.graph.inputs[0].shape
        assert image is not None  # required
        names = {symbol: name for size, name in zip(image, self.axes, strict=True) if (symbol := _symbol(size))}
        for value in [*model.graph.inputs, *model.graph.outputs]:
            if value.shape is not None:
                value.shape = ir.Shape(
                    ir.SymbolicDim(names.get(symbol, symbol)) if (symbol := _symbol(size)) else size
                    for size in value.shape
                )
        return ir.passes.PassResult(model, modified=any(symbol != name for symbol, name in names.items()))

    def ensures(self, model: ir.Model) -> None:
        """See the class."""
        for size, name in zip(model.graph.inputs[0].shape or (), self.axes, strict=True):
            if (symbol := _symbol(size)) and symbol != name:
                raise ir.passes.PostconditionError(f"NameAxes: the axis {name} is called {symbol}")


def _symbol(size: int | ir.SymbolicDim) -> str | None:
    """Return the name of a free size; None for a fixed one."""
    return size.value if isinstance(size, ir.SymbolicDim) else None
