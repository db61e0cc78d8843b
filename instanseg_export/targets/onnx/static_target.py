"""The static ONNX target: one image size and a fixed capacity, no loops, no sizes that depend on the data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...metadata import ModelMetadata
from ..capture import capture_static
from ..steps import export_step
from .embedded import read_embedded, with_metadata

if TYPE_CHECKING:
    from ...families.base import SegmentationForward

__all__ = ["TARGET", "StaticOnnxTarget"]

_INPUT = "image"


class StaticOnnxTarget:
    """Exports the static form of a forward, for runtimes that compile a graph for one size and know no loops."""

    name = "onnx_static"
    filename = "model_static.onnx"
    artefact: Literal["file", "folder"] = "file"
    describes = "ONNX opset 18 for one image size, without loops: WebGPU, TensorRT, QNN, DirectML, Core ML's provider"
    traces = True
    overridable = False
    dynamic_shapes = False
    exposes_stages = False
    whole = True
    open_loops = False

    def unavailable(self) -> str | None:
        """See :class:`targets.base.Target`."""
        return None

    def write(self, forward: SegmentationForward, metadata: ModelMetadata, path: Path) -> None:
        """See :class:`targets.base.Target`."""
        import onnx_ir as ir
        from onnx import checker

        from .passes import ComputeConstants, SetHeader, StripDescriptions
        from .translate import translate

        name = metadata.spec.name
        with export_step("capture", self.name, name):
            captured = capture_static(forward, metadata)
        with export_step("translate", self.name, name):
            model = translate(captured, [_INPUT], list(captured.stage_names))
        with export_step("passes", self.name, name):
            ir.passes.Sequential(
                ComputeConstants(),
                StripDescriptions(),
                SetHeader(metadata.version, f"{name}: image in, label map out, one size"),
            )(model)
        with export_step("check", self.name, name):
            proto = ir.to_proto(model)
            checker.check_model(proto, full_check=True)
        path.write_bytes(with_metadata(proto, metadata))

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """See :class:`targets.base.Target`."""
        return read_embedded(path)


TARGET = StaticOnnxTarget()
