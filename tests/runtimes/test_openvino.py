"""OpenVINO computes with whole numbers of 32 bits: files that need more are refused before they give wrong labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from instanseg_export.runtimes.outcome import Outcome
from instanseg_export.runtimes.probe import probe
from instanseg_export.runtimes.process import run_runtime
from instanseg_export.runtimes.registry import find_runtime

IMAGE = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)


@pytest.fixture(autouse=True)
def _openvino() -> None:
    if lacking := probe(find_runtime("openvino")):
        pytest.skip(f"openvino cannot run on this machine: {lacking}")


def _run(number: int, folder: Path) -> Outcome:
    """Run a graph whose labels are the values of the image, multiplied and divided by a number."""
    labels = "instance_segmentation"
    nodes = [
        helper.make_node("Cast", ["image"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Mul", ["whole", "number"], ["product"]),
        helper.make_node("Div", ["product", "number"], ["quotient"]),
        helper.make_node("Cast", ["quotient"], [labels], to=TensorProto.FLOAT),
    ]
    shape: list[str | int | None] = ["b", 1, "h", "w"]
    graph = helper.make_graph(
        nodes,
        "main",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(labels, TensorProto.FLOAT, shape)],
        initializer=[helper.make_tensor("number", TensorProto.INT64, [], [number])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, folder / "model.onnx")
    np.save(folder / "image.npy", IMAGE)
    (outcome,) = run_runtime(
        find_runtime("openvino"), folder / "model.onnx", [folder / "image.npy"], [folder / "labels.npz"]
    )
    return outcome


@pytest.mark.parametrize("number", [7, 2**28])
def test_what_32_bits_hold_is_run(tmp_path: Path, number: int) -> None:
    np.testing.assert_array_equal(_run(number, tmp_path).labels(), IMAGE)


def test_what_they_do_not_hold_is_refused_in_words(tmp_path: Path) -> None:
    outcome = _run(2**40, tmp_path)
    assert outcome.unavailable
    assert "beyond 32 bits" in outcome.error
    assert "ONNX Runtime" in outcome.error
