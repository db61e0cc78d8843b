"""The TorchScript target: script, check."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...errors import ExportError
from ...metadata import METADATA_FILE, ModelMetadata
from ..archive import read_embedded
from ..steps import export_step
from .canonical import canonical
from .operators import OLDEST_LIBTORCH, unknown_operators

if TYPE_CHECKING:
    from ...families.base import SegmentationForward

__all__ = ["TARGET", "TorchScriptTarget"]


class TorchScriptTarget:
    """Scripts the forward: data-dependent loops and the optional argument ``args`` stay what they are in Python."""

    name = "torchscript"
    filename = "instanseg.pt"
    artefact: Literal["file", "folder"] = "file"
    describes = "TorchScript, for QuPath, Fiji (deepImageJ), DJL and libtorch from 2.0"
    traces = False
    overridable = True
    dynamic_shapes = True
    exposes_stages = True
    whole = True
    open_loops = True

    def unavailable(self) -> str | None:
        """See :class:`targets.base.Target`."""
        if sys.version_info >= (3, 14):
            return "PyTorch does not support TorchScript on Python 3.14 and newer; use Python 3.11 to 3.13"
        return None

    def write(self, forward: SegmentationForward, metadata: ModelMetadata, path: Path) -> None:
        """See :class:`targets.base.Target`."""
        import torch

        name = metadata.spec.name
        with export_step("script", self.name, name), warnings.catch_warnings():
            # TorchScript is deprecated, and still the only way into QuPath and Fiji.
            warnings.simplefilter("ignore")
            scripted = torch.jit.script(forward)
            buffer = io.BytesIO()
            torch.jit.save(scripted, buffer, _extra_files={METADATA_FILE: metadata.text()})
        with export_step("check", self.name, name):
            newer = unknown_operators(scripted)
        if newer:
            raise ExportError(
                f"{name} cannot be written as {self.name}: the step check failed: it uses what libtorch "
                f"{OLDEST_LIBTORCH} does not know: {', '.join(newer)}.",
                hint="Fiji runs that version, so that the file would not load there: use operators that it has.",
                step="check",
            )
        path.write_bytes(canonical(buffer))

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """See :class:`targets.base.Target`."""
        return read_embedded(path, "the TorchScript file")


TARGET = TorchScriptTarget()
