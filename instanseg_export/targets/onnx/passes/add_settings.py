"""Settings become optional."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

__all__ = ["AddSettings"]


class AddSettings(ir.passes.InPlacePass):
    """Give inputs a default: they become overridable initializers, which a client may leave out.

    Requires: each setting is an input of the graph, a scalar of the default's type, without a default.
    Ensures: each is an initializer too, and still an input.

    Args:
        defaults: the scalar of each setting.
    """

    def __init__(self, defaults: Mapping[str, NDArray[np.generic]]) -> None:
        super().__init__()
        self.defaults = dict(defaults)

    def requires(self, model: ir.Model) -> None:
        """See the class."""
        inputs = {value.name: value for value in model.graph.inputs}
        for name, default in self.defaults.items():
            if name not in inputs or name in model.graph.initializers:
                raise ir.passes.PreconditionError(f"AddSettings: {name} is no input of the graph without a default")
            value = inputs[name]
            if value.dtype != ir.DataType.from_numpy(default.dtype) or value.shape is None or len(value.shape):
                raise ir.passes.PreconditionError(f"AddSettings: {name} is not a scalar of type {default.dtype}")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """See the class."""
        inputs = {value.name: value for value in model.graph.inputs}
        for name, default in self.defaults.items():
            value = inputs[name]
            value.const_value = ir.tensor(default, name=name)
            model.graph.initializers.add(value)
        return ir.passes.PassResult(model, modified=bool(self.defaults))

    def ensures(self, model: ir.Model) -> None:
        """See the class."""
        inputs = {value.name for value in model.graph.inputs}
        for name in self.defaults:
            if name not in inputs or name not in model.graph.initializers:
                raise ir.passes.PostconditionError(f"AddSettings: {name} has no default")
