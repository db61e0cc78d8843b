"""The AOTInductor target: capture, passes, compile."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...metadata import ModelMetadata
from ..archive import read_embedded
from ..capture import capture
from ..exported_program.passes import AddSums, DropAssertions, HideStages
from ..program import changeable
from ..steps import export_step
from .write import unavailable, write_compiled

if TYPE_CHECKING:
    from ...families.base import SegmentationForward

__all__ = ["TARGET", "AotInductorTarget"]


class AotInductorTarget:
    """Compiles the forward with its baked settings, for computers with this one's operating system and processor."""

    name = "aot_inductor"
    filename = "model_compiled.pt2"
    artefact: Literal["file", "folder"] = "file"
    describes = "machine code for computers like this one, for PyTorch (torch._inductor.aoti_load_package)"
    traces = True
    overridable = False
    dynamic_shapes = True
    exposes_stages = False
    whole = True
    open_loops = False

    def unavailable(self) -> str | None:
        """See :class:`targets.base.Target`."""
        return unavailable()

    def write(self, forward: SegmentationForward, metadata: ModelMetadata, path: Path) -> None:
        """See :class:`targets.base.Target`."""
        name = metadata.spec.name
        with export_step("capture", self.name, name):
            captured = capture(forward, ())
        with export_step("passes", self.name, name), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = changeable(captured.program)
            results = ["labels", *(output.name for output in forward.further)]
            for one in (AddSums(), DropAssertions(), HideStages(captured.stage_names, results)):
                one(program)
        with export_step("translate", self.name, name):
            write_compiled(program, captured.program.example_inputs, metadata, path)

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """See :class:`targets.base.Target`."""
        return read_embedded(path, "the compiled program")


TARGET = AotInductorTarget()
