"""Eight-bit integers: the network's convolutions, quantised statically with ONNX Runtime's own tools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ...files import scratch_folder
from .network import head_nodes

if TYPE_CHECKING:
    import onnx

__all__ = ["quantize_network"]

_OPERATORS = ("Conv", "Relu", "Add", "MaxPool", "Resize", "Concat", "Gather")
"""Those of which ONNX Runtime has integer kernels: between two of them no value goes back to float32."""


def quantize_network(part: onnx.ModelProto, inputs: Iterable[dict[str, Any]]) -> onnx.ModelProto:
    """Return the network with 8-bit weights and activations, as pairs of QuantizeLinear and DequantizeLinear (QDQ).

    Weights are symmetric int8 with one scale per output channel; activations are uint8 with one scale per tensor, whose
    range is the smallest and largest value that calibration sees (Jacob et al. 2018, section 2.1). Weights use 7 bits,
    since processors without VNNI instructions add pairs of products in 16 bits and would overflow. The heads, whose
    outputs are the fields and the seed map, and a channel adaptor in front of the U-Net stay float32.
    docs/precision.md has what each costs.

    Args:
        part: of :func:`targets.quantization.network.cut_network`; it is not changed.
        inputs: of the network, by name: one set per calibration image.
    """
    import onnx
    from onnxruntime.quantization import (  # type: ignore[import-untyped]
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._inputs = iter(inputs)

        def get_next(self) -> dict[str, Any] | None:
            return next(self._inputs, None)

    with scratch_folder() as folder:
        # By way of files: the quantiser changes a model that it is given.
        source, result = folder / "network.onnx", folder / "quantised.onnx"
        onnx.save(part, source)
        quantize_static(
            source,
            result,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_OPERATORS),
            nodes_to_exclude=[*head_nodes(part), *_adaptor_nodes(part)],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(result)


def _adaptor_nodes(part: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes that read weights of the network in front of the U-Net, where there is one."""
    return [node.name for node in part.graph.node if any(".adaptor." in f".{name}." for name in node.input)]
