"""The Core ML target: one ML program for Macs, iPhones and iPads, of one image size and a fixed capacity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...metadata import ModelMetadata
from ..capture import CapturedProgram, capture_static
from .package import read_package
from .write import unavailable, write_program

if TYPE_CHECKING:
    from ...families.base import SegmentationForward

__all__ = ["TARGET", "CoreMLTarget"]


class CoreMLTarget:
    """Exports the static form of a forward with coremltools, which also runs on Linux."""

    name = "coreml"
    filename = "model.mlpackage"
    artefact: Literal["file", "folder"] = "folder"
    describes = "a Core ML program for one image size, for macOS 14, iOS 17 and later"
    traces = True
    overridable = False
    dynamic_shapes = False
    exposes_stages = False
    whole = True
    open_loops = False

    def unavailable(self) -> str | None:
        """See :class:`targets.base.Target`."""
        return unavailable()

    def write(self, forward: SegmentationForward, metadata: ModelMetadata, path: Path) -> None:
        """See :class:`targets.base.Target`."""

        def capture() -> CapturedProgram:
            if metadata.precision == "fp32":
                return capture_static(forward, metadata)
            from .half import with_half_network

            return capture_static(with_half_network(forward), metadata)

        write_program(self.name, capture, metadata, path)

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """See :class:`targets.base.Target`."""
        return read_package(path)


TARGET = CoreMLTarget()
