"""The ONNX target: capture, translate, passes, check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...errors import PackageError
from ...forwards.base import LABELS
from ..capture import capture
from ..metadata import METADATA_KEY, parse
from ..steps import export_step

if TYPE_CHECKING:
    from ...forwards.base import Forward

__all__ = ["TARGET", "OnnxTarget"]

_INPUT = "image"


class OnnxTarget:
    """Exports the forward through torch.export; loops become Loop and Scan, tunables overridable initializers."""

    name = "onnx"
    filename = "model.onnx"
    artefact: Literal["file", "folder"] = "file"
    describes = "ONNX opset 18, for ONNX Runtime from 1.20 in Python, Java, C++ and web pages"
    traces = True
    overridable = True
    dynamic_shapes = True
    exposes_stages = True

    def unavailable(self) -> str | None:
        """See :class:`targets.base.Target`."""
        return None

    def write(self, forward: Forward, metadata: dict[str, Any], path: Path) -> None:
        """See :class:`targets.base.Target`."""
        import onnx_ir as ir
        from onnx import checker

        from .passes import AddSettings, HideStages, NameAxes, SetHeader, StripDescriptions
        from .translate import translate

        name = metadata["spec"]["name"]
        stages = _tensors(forward)
        settings = [row["name"] for row in metadata["tunables"] if not row["fixed"]]
        with export_step("capture", self.name, name):
            captured = capture(forward, settings)
        with export_step("translate", self.name, name):
            model = translate(captured, [_INPUT, *settings], list(stages.values()))
        with export_step("passes", self.name, name):
            # The stages unsorted: their order says which comes first.
            properties = {METADATA_KEY: json.dumps(metadata | {"stages": stages})}
            ir.passes.Sequential(
                AddSettings({setting: value.numpy() for setting, value in captured.settings.items()}),
                HideStages(metadata["outputs"]),
                NameAxes(captured.axes),
                StripDescriptions(),
                SetHeader(metadata["version"], f"{name}: image in, label map out", properties),
            )(model)
        with export_step("check", self.name, name):
            proto = ir.to_proto(model)
            checker.check_model(proto, full_check=True)
        path.write_bytes(proto.SerializeToString(deterministic=True))

    def read_metadata(self, path: Path) -> dict[str, Any]:
        """See :class:`targets.base.Target`."""
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

        try:
            model = onnx.load(path)
        except (DecodeError, OSError) as error:
            raise PackageError(
                f"{path} is not an ONNX file, or is damaged: {error}.", hint="Export the checkpoint again."
            ) from error
        properties = {entry.key: entry.value for entry in model.metadata_props}
        return parse(properties.get(METADATA_KEY, ""), path)


TARGET = OnnxTarget()


def _tensors(forward: Forward) -> dict[str, str]:
    """Return the name of the tensor of each stage: outputs have their own, others have one that says what they are."""
    outputs = {"labels": LABELS} | {output.name: output.name for output in forward.further}
    return {stage: outputs.get(stage, f"stage.{stage}") for stage in forward.stage_names}
