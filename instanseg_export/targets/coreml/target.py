"""The Core ML target: one ML program for Macs, iPhones and iPads, of one image size and a fixed capacity."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...files import scratch_folder
from ...metadata import ModelMetadata
from ..capture import capture_static
from ..steps import export_step
from .package import read_package, write_package

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
        if find_spec("coremltools") is None:
            return "coremltools is missing; install it with: pip install 'instanseg-export[coreml]'"
        return None

    def write(self, forward: SegmentationForward, metadata: ModelMetadata, path: Path) -> None:
        """See :class:`targets.base.Target`."""
        from .convert import convert

        name = metadata.spec.name
        with export_step("capture", self.name, name):
            if metadata.precision == "fp16":
                from .half import with_half_network

                forward = with_half_network(forward)
            captured = capture_static(forward, metadata)
        with export_step("translate", self.name, name), scratch_folder() as folder:
            model = convert(captured, metadata)
            model.save(str(folder / "model.mlpackage"))
            # Small constants stand in the program, and so do all weights of a small network.
            weights = b"".join(path.read_bytes() for path in folder.rglob("weight.bin"))
        write_package(model.get_spec(), weights, metadata, path)

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """See :class:`targets.base.Target`."""
        return read_package(path)


TARGET = CoreMLTarget()
