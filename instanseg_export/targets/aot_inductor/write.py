"""What both compiled targets do: compile a captured program, and write it with its description."""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...files import scratch_folder
from ...metadata import METADATA_FILE, ModelMetadata

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["unavailable", "write_compiled"]

_COMPILERS = ("g++", "clang++", "c++")


def unavailable() -> str | None:
    """Return why this machine cannot compile, or None if it can."""
    if any(shutil.which(name) for name in _COMPILERS):
        return None
    return "it has no C++ compiler; install g++ or clang++"


def write_compiled(program: ExportedProgram, example: Any, metadata: ModelMetadata, path: Path) -> None:
    """Compile a program and put its description beside the machine code.

    Args:
        program: it is changed.
        example: arguments that are usual, which tell the compiler what to make fast.
        metadata: what the file says of itself.
        path: of the new file.
    """
    import torch._inductor

    program.example_inputs = example
    with _quiet(), scratch_folder() as folder:
        made = folder / path.name  # the compiler wants a file's ending, and a staged file has another
        torch._inductor.aoti_compile_and_package(program, package_path=str(made))
        shutil.move(made, path)
    with zipfile.ZipFile(path, "a") as archive:
        root = archive.namelist()[0].partition("/")[0]
        archive.writestr(f"{root}/extra/{METADATA_FILE}", metadata.text())


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
