"""Sixteen-bit floats: the network's weights and activations, converted with ONNX Runtime's own tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

__all__ = ["halve_network"]


def halve_network(part: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network in float16, with casts where values come in and go out.

    Args:
        part: of :func:`targets.quantization.network.cut_network`; it is not changed.
    """
    import onnx
    from onnxruntime.quantization.onnx_model import ONNXModel  # type: ignore[import-untyped]
    from onnxruntime.transformers.float16 import convert_float_to_float16  # type: ignore[import-untyped]

    copy = onnx.ModelProto()
    copy.CopyFrom(part)
    # The converter puts the casts at the end.
    halved = ONNXModel(convert_float_to_float16(copy, keep_io_types=True))
    halved.topological_sort()
    result: onnx.ModelProto = halved.model
    return result
