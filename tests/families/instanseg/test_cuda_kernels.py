"""What of InstanSeg's ONNX files ONNX Runtime runs on the CPU although CUDA was asked for, by its table of kernels."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from support.cuda_kernels import HOST_DRIVEN, OPSET, nodes_on_the_host, operators


def _file(folder: Path, nodes: list[onnx.NodeProto], kind: int) -> Path:
    values = [helper.make_tensor_value_info(name, kind, [2, 2]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "graph", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)]), folder / "model.onnx")
    return folder / "model.onnx"


@pytest.mark.parametrize(
    ("operator", "kind", "expected"),
    [
        ("BitwiseNot", TensorProto.INT32, {("BitwiseNot", "int32"): 1}),
        ("Abs", TensorProto.FLOAT, {}),
        ("Abs", TensorProto.DOUBLE, {("Abs", "double"): 1}),
        ("Relu", TensorProto.INT32, {("Relu", "int32"): 1}),
    ],
)
def test_a_node_without_a_kernel_is_seen(
    tmp_path: Path, operator: str, kind: int, expected: dict[tuple[str, str], int]
) -> None:
    assert nodes_on_the_host(_file(tmp_path, [helper.make_node(operator, ["x"], ["y"])], kind)) == expected


def test_a_static_file_runs_on_cuda_alone(demo_static: Path) -> None:
    assert nodes_on_the_host(demo_static) == {}
    assert not HOST_DRIVEN & operators(demo_static)


def test_of_a_dynamic_file_the_floods_run_on_the_cpu(demo_package: Path) -> None:
    """Whoever takes an operator off this list, or a node, lowers the figures here and in docs/devices.md."""
    found = nodes_on_the_host(demo_package / "model.onnx")
    assert set(found) == {("BitwiseAnd", "int32"), ("BitwiseNot", "int32"), ("BitwiseOr", "int32"), ("Pad", "int32")}
    assert found.total() <= 99
    assert HOST_DRIVEN & operators(demo_package / "model.onnx") == {"Compress", "Loop", "NonZero"}
