"""The target of exported programs: capture, passes, check."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...errors import ExportError
from ...metadata import METADATA_FILE, ModelMetadata
from ..archive import read_embedded
from ..capture import capture
from ..steps import export_step
from .code import suspicious

if TYPE_CHECKING:
    from ...families.base import SegmentationForward

__all__ = ["TARGET", "ExportedProgramTarget"]


class ExportedProgramTarget:
    """Writes the forward as torch.export captures it: operators of PyTorch, weights, and nothing to compile."""

    name = "exported_program"
    filename = "model.pt2"
    artefact: Literal["file", "folder"] = "file"
    describes = "a program of torch.export, for PyTorch (torch.export.load)"
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
        import torch

        from ..program import changeable
        from .passes import AddSettings, AddSums, DropAssertions, HideStages, StripDescriptions

        name = metadata.spec.name
        settings = [row.name for row in metadata.setting_rows if not row.fixed]
        with export_step("capture", self.name, name):
            captured = capture(forward, settings)
        with export_step("passes", self.name, name), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = changeable(captured.program)
            nodes = dict(zip(captured.stage_names, program.graph_signature.user_outputs, strict=True))
            results = ["labels", *(output.name for output in forward.further)]
            for one in (
                AddSettings(captured.settings),
                AddSums(),
                DropAssertions(),
                HideStages(captured.stage_names, results),
                StripDescriptions(),
            ):
                one(program)
        with export_step("check", self.name, name), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program.validate()
            buffer = io.BytesIO()
            text = metadata.model_copy(update={"stages": nodes}).text()
            torch.export.save(program, buffer, extra_files={METADATA_FILE: text})
        path.write_bytes(buffer.getvalue())
        if found := suspicious(path):
            raise ExportError(
                f"{name} cannot be written as {self.name}: the step check failed: nobody could tell that the file only "
                f"computes, since it has {found[0]} in it.",
                hint="Use operators of targets/torchscript/plain_operators.txt, or add one that computes to that file.",
                step="check",
            )

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """See :class:`targets.base.Target`."""
        return read_embedded(path, "the exported program")


TARGET = ExportedProgramTarget()
