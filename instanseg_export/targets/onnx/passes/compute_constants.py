"""Large constants that are easily computed are computed, not stored."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

__all__ = ["ComputeConstants"]

_LARGE = 4096
"""Numbers from which a constant is worth a node."""


class ComputeConstants(ir.passes.InPlacePass):
    """Replace large initializers of one value by ConstantOfShape, and of evenly growing whole numbers by Range.

    Ensures: no initializer of more than 4,096 equal numbers is left, nor such a row of whole numbers.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """See the class."""
        changed = False
        for value in list(model.graph.initializers.values()):
            tensor = value.const_value
            if tensor is None or tensor.size <= _LARGE or value.is_graph_output():
                continue
            node = _node_for(model.graph, value, tensor.numpy())
            if node is None:
                continue
            changed = True
            result = node.outputs[0]
            result.name, result.type, result.shape = value.name, value.type, value.shape
            ir.convenience.replace_all_uses_with(value, result)
            del model.graph.initializers[str(value.name)]
            model.graph.insert_before(model.graph[0], node)
        return ir.passes.PassResult(model, modified=changed)

    def ensures(self, model: ir.Model) -> None:
        """See the class."""
        for value in model.graph.initializers.values():
            tensor = value.const_value
            if tensor is not None and tensor.size > _LARGE and not value.is_graph_output():
                numbers = tensor.numpy()
                if (numbers == numbers.flat[0]).all() or _is_range(numbers):
                    raise ir.passes.PostconditionError(f"ComputeConstants: {value.name} is stored")


def _is_range(numbers: np.ndarray) -> bool:
    whole = numbers.ndim == 1 and numbers.dtype in (np.int64, np.int32)
    return whole and bool((np.diff(numbers) == numbers[1] - numbers[0]).all() and numbers[1] != numbers[0])


def _node_for(graph: ir.Graph, value: ir.Value, numbers: np.ndarray) -> ir.Node | None:
    def constant(array: np.ndarray, name: str) -> ir.Value:
        tensor = ir.tensor(array, name=f"{value.name}_{name}")
        result = ir.Value(
            name=tensor.name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape), const_value=tensor
        )
        graph.initializers[str(result.name)] = result
        return result

    if (numbers == numbers.flat[0]).all():
        fill = ir.tensor(numbers.reshape(-1)[:1].copy())
        shape = constant(np.array(numbers.shape, dtype=np.int64), "shape")
        return ir.node("ConstantOfShape", [shape], attributes={"value": fill}, num_outputs=1)
    if _is_range(numbers):
        step = numbers[1] - numbers[0]
        ends = {"start": numbers[0], "limit": numbers[-1] + step, "delta": step}
        return ir.node("Range", [constant(np.array(end, dtype=numbers.dtype), name) for name, end in ends.items()])
    return None
