"""The Core ML target of the network alone, for families whose decoding has no form of one size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...metadata import ModelMetadata
from ..capture import capture_network
from .package import read_package
from .write import unavailable, write_program

if TYPE_CHECKING:
    from ...families.base import SegmentationForward

__all__ = ["TARGET", "CoreMLNetworkTarget"]


class CoreMLNetworkTarget:
    """Writes the network without what comes before and after it."""

    name = "coreml_network"
    filename = "network.mlpackage"
    artefact: Literal["file", "folder"] = "folder"
    describes = "network only, as a Core ML program: normalised image of one size in, the network's raw output out"
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
        write_program(self.name, lambda: capture_network(forward, metadata), metadata, path)

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """See :class:`targets.base.Target`."""
        return read_package(path)


TARGET = CoreMLNetworkTarget()
