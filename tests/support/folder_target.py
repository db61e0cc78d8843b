"""A format whose artefact is a folder, and a runtime that runs it; each flag can be on or off."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from instanseg_export.errors import PackageError
from instanseg_export.families.base import SegmentationForward
from instanseg_export.metadata import ModelMetadata, parse_metadata
from instanseg_export.targets.signature import NetworkAlone
from instanseg_export.targets.torchscript.canonical import canonical
from support.paths import ROOT

__all__ = ["SIZE", "FolderTarget", "write_runtime"]

SIZE = 64
"""Height and width that its artefacts take if they take one size only."""


@dataclass
class FolderTarget:
    """Writes ``metadata.json`` and a TorchScript module in a subfolder."""

    name: str = "folder"
    filename: str = "model.bundle"
    artefact: Literal["file", "folder"] = "folder"
    describes: str = "a folder, for tests"
    traces: bool = True
    overridable: bool = False
    dynamic_shapes: bool = False
    exposes_stages: bool = False
    whole: bool = True
    open_loops: bool = False

    def unavailable(self) -> str | None:
        return None

    def write(self, forward: SegmentationForward, metadata: ModelMetadata, path: Path) -> None:
        # It holds the forward itself, which has room for everything.
        shape = (1, forward.channels, SIZE, SIZE)
        fixed = {"image_shape": shape, "seed_capacity": None, "outputs": metadata.outputs[:1]}
        sizes = {} if self.dynamic_shapes else fixed
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what a trace fixes, as is meant here
            network = NetworkAlone(forward)
            module = torch.jit.script(forward) if self.whole else torch.jit.trace(network, torch.zeros(shape))
        (path / "Data").mkdir()
        buffer = io.BytesIO()
        torch.jit.save(module, buffer)
        (path / "Data" / "module.pt").write_bytes(canonical(buffer))
        (path / "metadata.json").write_text(metadata.model_copy(update=sizes).text())

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        try:
            text = (path / "metadata.json").read_bytes()
        except OSError as error:
            raise PackageError(f"{path} is damaged: {error}.", hint="Export the checkpoint again.") from error
        return parse_metadata(text, path)


_PROGRAM = """
import sys
from pathlib import Path

sys.path.insert(0, {shared!r})
from runner_protocol import read_facts, serve


def open_session(request):
    import torch
    from torch_session import TorchSession, torch_device

    module = torch.jit.load(request.model / "Data" / "module.pt")
    return TorchSession(module, torch_device("cpu"), request, read_facts((request.model / "metadata.json").read_text()))


raise SystemExit(serve("folder", open_session))
"""

_DESCRIPTION = """
name = "folder"
title = "Folder"
description = "Runs a module in a folder."
program = ["{python}", "{folder}/runner.py"]

[artefact]
target = "folder"
filename = "model.bundle"
kind = "folder"

[install]
hint = "none"
"""


def write_runtime(folder: Path) -> Path:
    """Write a runtime that takes such folders, and return its folder."""
    folder.mkdir()
    (folder / "runtime.toml").write_text(_DESCRIPTION)
    (folder / "runner.py").write_text(_PROGRAM.format(shared=str(ROOT / "runtimes" / "_shared")))
    return folder
