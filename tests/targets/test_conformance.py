"""Our targets keep what every target promises."""

from __future__ import annotations

from instanseg_export.testing.target import TargetSuite


class TestTorchScript(TargetSuite):
    name = "torchscript"


class TestOnnx(TargetSuite):
    name = "onnx"
