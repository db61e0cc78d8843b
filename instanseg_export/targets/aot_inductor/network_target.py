"""The compiled network alone, for families whose decoding loops over objects and so cannot be compiled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...metadata import ModelMetadata
from ..archive import read_embedded
from ..capture import capture_network
from ..program import changeable
from ..steps import export_step
from .write import unavailable, write_compiled

if TYPE_CHECKING:
    from ...families.base import SegmentationForward

__all__ = ["TARGET", "AotInductorNetworkTarget"]


class AotInductorNetworkTarget:
    """Compiles the network without what comes before and after it, for images of one size."""

    name = "aot_inductor_network"
    filename = "network_compiled.pt2"
    artefact: Literal["file", "folder"] = "file"
    describes = "network only, as machine code for computers like this: normalised image of one size in, raw output out"
    traces = True
    overridable = False
    dynamic_shapes = False
    exposes_stages = False
    whole = False
    open_loops = False

    def unavailable(self) -> str | None:
        """See :class:`targets.base.Target`."""
        return unavailable()

    def write(self, forward: SegmentationForward, metadata: ModelMetadata, path: Path) -> None:
        """See :class:`targets.base.Target`."""
        name = metadata.spec.name
        with export_step("capture", self.name, name):
            captured = capture_network(forward, metadata)
        with export_step("translate", self.name, name):
            write_compiled(changeable(captured.program), captured.program.example_inputs, metadata, path)

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """See :class:`targets.base.Target`."""
        return read_embedded(path, "the compiled program")


TARGET = AotInductorNetworkTarget()
