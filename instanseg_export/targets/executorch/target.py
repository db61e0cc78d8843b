"""The ExecuTorch target: the network alone, for one image size, lowered to XNNPACK."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...metadata import ModelMetadata
from ..capture import capture_network
from ..steps import export_step
from .file import read_program, write_program

if TYPE_CHECKING:
    from ...families.base import SegmentationForward

__all__ = ["TARGET", "ExecuTorchTarget"]


class ExecuTorchTarget:
    """Writes the network without what comes before and after it.

    ExecuTorch's portable operators do not have all that decoding needs, such as scatter_reduce.
    """

    name = "executorch"
    filename = "model.pte"
    artefact: Literal["file", "folder"] = "file"
    describes = "network only, for ExecuTorch (XNNPACK): normalised image of one size in, the network's raw output out"
    traces = True
    overridable = False
    dynamic_shapes = False
    exposes_stages = False
    whole = False
    open_loops = False

    def unavailable(self) -> str | None:
        """See :class:`targets.base.Target`."""
        try:
            found = find_spec("executorch.exir")  # a folder called executorch is a package of that name, too
        except ModuleNotFoundError:
            found = None
        return None if found else "executorch is missing; install it with: pip install 'instanseg-export[executorch]'"

    def write(self, forward: SegmentationForward, metadata: ModelMetadata, path: Path) -> None:
        """See :class:`targets.base.Target`."""
        from .lower import lower

        name = metadata.spec.name
        with export_step("capture", self.name, name):
            captured = capture_network(forward, metadata)
        with export_step("translate", self.name, name):
            program = lower(captured.program)
        write_program(program, metadata, path)

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """See :class:`targets.base.Target`."""
        return read_program(path)


TARGET = ExecuTorchTarget()
