"""A small segmenter as a TorchScript file, and runtimes made of a few lines of Python."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from instanseg_export.images.named import NamedImage
from instanseg_export.runtimes.registry import builtin_folder
from support.tiny_model import TinySegmenter

Write = Callable[..., Path]

RUNTIME_TOML = """
name = "{name}"
title = "{name}"
description = "for tests"
program = {program}
start_limit = {start_limit}
[artefact]
target = "torchscript"
filename = "{filename}"
[probe]
modules = {modules}
command = {command}
[install]
hint = "{hint}"
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sound instanseg.pt."""
    folder = tmp_path_factory.mktemp("package")
    torch.jit.script(TinySegmenter()).save(folder / "instanseg.pt")
    return folder


@pytest.fixture(scope="module")
def write_runtime(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Write a runtime's folder; ``source`` is its program, by default the TorchScript runner."""

    def write(
        name: str,
        *,
        source: str | None = None,
        filename: str = "instanseg.pt",
        start_limit: float = 60.0,
        modules: tuple[str, ...] = (),
        command: tuple[str, ...] = (),
        hint: str = "pip install it",
    ) -> Path:
        folder = tmp_path_factory.mktemp(name)
        program = builtin_folder() / "torchscript" / "runner.py"
        if source is not None:
            program = folder / "program.py"
            program.write_text(source)
        text = RUNTIME_TOML.format(
            name=name,
            program=[sys.executable, str(program)],
            start_limit=start_limit,
            filename=filename,
            modules=list(modules),
            command=list(command),
            hint=hint,
        )
        (folder / "runtime.toml").write_text(text)
        return folder

    return write


@pytest.fixture(scope="session")
def squares() -> NamedImage:
    """Nine bright squares on a dark ground, and a tenth that touches the border; (2, 2, 64, 80), two alike images."""
    image = np.full((2, 2, 64, 80), 10.0, dtype=np.float32)
    for row in (6, 26, 46):
        for column in (8, 32, 56):
            image[:, :, row : row + 8, column : column + 7 + row // 20] = 200.0
    image[:, :, 30:36, 76:] = 200.0
    return NamedImage("squares", image, "ten squares")
