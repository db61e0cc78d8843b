"""Sixteen-bit floats: the network's weights and activations, converted with ONNX Runtime's own tools."""

from __future__ import annotations

from typing import Any

__all__ = ["halve_network"]


def halve_network(part: Any) -> Any:
    """Return the network in float16, with casts where values come in and go out.

    Args:
        part: of :func:`targets.quantization.network.cut_network`; it is not changed.
    """
    import onnx
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.transformers.float16 import convert_float_to_float16

    halved = onnx.ModelProto()
    halved.CopyFrom(part)
    # The converter puts the casts at the end.
    halved = ONNXModel(convert_float_to_float16(halved, keep_io_types=True))
    halved.topological_sort()
    return halved.model
