"""How operators become ONNX where the exporter's own way is wrong or slow."""

from __future__ import annotations

from typing import Any

__all__ = ["lowerings"]


def lowerings() -> dict[Any, Any]:
    """Return the translation of each operator."""
    import torch

    aten = torch.ops.aten
    return {
        aten.masked_select.default: _masked_select,
        aten.div.Tensor_mode: _divide,
        aten.div.Scalar_mode: _divide,
    }


def _masked_select(values: Any, mask: Any) -> Any:
    """Copy what is chosen; the exporter's own way is to list the places first and to gather from them."""
    from onnxscript import opset18

    # Without an axis it would flatten by itself, but OpenVINO wants one.
    flat: Any = [-1]
    return opset18.Compress(opset18.Reshape(values, flat), opset18.Reshape(mask, flat), axis=0)


def _divide(values: Any, divisor: Any, rounding_mode: str | None = None) -> Any:
    """Divide whole numbers as such; the exporter divides float32 numbers, which is wrong beyond 2**24."""
    from onnxscript import opset18
    from onnxscript.function_libs.torch_lib.ops.core import aten_div_mode

    if not values.dtype.is_integer() or rounding_mode is None:
        return aten_div_mode(values, divisor, rounding_mode=rounding_mode)
    divisor = opset18.CastLike(divisor, values)
    if rounding_mode == "trunc":
        return opset18.Div(values, divisor)
    return opset18.Div(opset18.Sub(values, opset18.Mod(values, divisor)), divisor)
