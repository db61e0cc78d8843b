"""The ONNX target: capture, translate, passes, check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...metadata import LABELS, ModelMetadata
from ..capture import capture
from ..steps import export_step
from .embedded import read_embedded, with_metadata

if TYPE_CHECKING:
    from ...families.base import SegmentationForward

__all__ = ["TARGET", "OnnxTarget"]

_INPUT = "image"


class OnnxTarget:
    """Exports the forward through torch.export; loops become Loop, settings overridable initializers."""

    name = "onnx"
    filename = "model.onnx"
    artefact: Literal["file", "folder"] = "file"
    describes = "ONNX opset 18, for ONNX Runtime from 1.20 in Python, Java, C++ and web pages"
    traces = True
    overridable = True
    dynamic_shapes = True
    exposes_stages = True
    whole = True
    open_loops = True

    def unavailable(self) -> str | None:
        """See :class:`targets.base.Target`."""
        return None

    def write(self, forward: SegmentationForward, metadata: ModelMetadata, path: Path) -> None:
        """See :class:`targets.base.Target`."""
        import onnx_ir as ir
        from onnx import checker

        from .passes import AddSettings, HideStages, LoopsForScans, NameAxes, SetHeader, StripDescriptions
        from .translate import translate

        name = metadata.spec.name
        stages = _tensors(forward)
        settings = [row.name for row in metadata.setting_rows if not row.fixed]
        with export_step("capture", self.name, name):
            captured = capture(forward, settings)
        with export_step("translate", self.name, name):
            model = translate(captured, [_INPUT, *settings], list(stages.values()))
        with export_step("passes", self.name, name):
            ir.passes.Sequential(
                AddSettings({setting: value.numpy() for setting, value in captured.settings.items()}),
                HideStages([output.name for output in metadata.outputs]),
                NameAxes(captured.axes),
                LoopsForScans(),
                StripDescriptions(),
                SetHeader(metadata.version, f"{name}: image in, label map out"),
            )(model)
        with export_step("check", self.name, name):
            proto = ir.to_proto(model)
            checker.check_model(proto, full_check=True)
        # The stages unsorted: their order says which comes first.
        path.write_bytes(with_metadata(proto, metadata.model_copy(update={"stages": stages})))

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """See :class:`targets.base.Target`."""
        return read_embedded(path)


TARGET = OnnxTarget()


def _tensors(forward: SegmentationForward) -> dict[str, str]:
    """Return the name of the tensor of each stage: outputs have their own, others have one that says what they are."""
    outputs = {"labels": LABELS} | {output.name: output.name for output in forward.further}
    return {stage: outputs.get(stage, f"stage.{stage}") for stage in forward.stage_names}
