"""What both Core ML targets do: capture, translate with coremltools, and write the package."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ...files import scratch_folder
from ..steps import export_step
from .package import write_package

if TYPE_CHECKING:
    from ...metadata import ModelMetadata
    from ..capture import CapturedProgram

__all__ = ["unavailable", "write_program"]


def unavailable() -> str | None:
    """Return why this machine cannot write Core ML programs, or None if it can; Linux can as well."""
    if find_spec("coremltools") is None:
        return "coremltools is missing; install it with: pip install 'instanseg-export[coreml]'"
    return None


def write_program(target: str, capture: Callable[[], CapturedProgram], metadata: ModelMetadata, path: Path) -> None:
    """Write what is captured as a package.

    Args:
        target: its name, for messages.
        capture: traces the part of the forward that is written.
        metadata: what the file says of itself.
        path: of the package, an empty folder.

    Raises:
        ExportError: it cannot be traced or translated; its attribute ``step`` says which.
    """
    from .convert import convert

    name = metadata.spec.name
    with export_step("capture", target, name):
        captured = capture()
    with export_step("translate", target, name), scratch_folder() as folder:
        model = convert(captured, metadata)
        model.save(str(folder / "model.mlpackage"))
        # Small constants stand in the program, and so do all weights of a small network.
        weights = b"".join(part.read_bytes() for part in folder.rglob("weight.bin"))
    write_package(model.get_spec(), weights, metadata, path)
