"""The AOTInductor target: capture, passes, compile."""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...files import scratch_folder
from ...metadata import METADATA_FILE, ModelMetadata
from ..archive import read_embedded
from ..capture import capture
from ..exported_program.passes import AddSums, DropAssertions, HideStages
from ..program import changeable
from ..steps import export_step

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from ...families.base import SegmentationForward

__all__ = ["TARGET", "AotInductorTarget"]

_COMPILERS = ("g++", "clang++", "c++")


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
        if any(shutil.which(name) for name in _COMPILERS):
            return None
        return "it has no C++ compiler; install g++ or clang++"

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
            _compile(program, captured.program.example_inputs, path)
            with zipfile.ZipFile(path, "a") as archive:
                root = archive.namelist()[0].partition("/")[0]
                archive.writestr(f"{root}/extra/{METADATA_FILE}", metadata.text())

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """See :class:`targets.base.Target`."""
        return read_embedded(path, "the compiled program")


def _compile(program: ExportedProgram, example: Any, path: Path) -> None:
    """Compile a program for images of any size.

    Args:
        program: it is changed.
        example: arguments that are usual, which tell the compiler what to make fast.
        path: of the new file.
    """
    import torch._inductor

    program.example_inputs = example
    with _quiet(), scratch_folder() as folder:
        made = folder / path.name  # the compiler wants a file's ending, and a staged file has another
        torch._inductor.aoti_compile_and_package(program, package_path=str(made))
        shutil.move(made, path)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the compiler's remarks off the terminal."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


TARGET = AotInductorTarget()
