"""One hostile input, and what most of them are written with."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["MARKER", "Member", "archive", "entries_form", "file_form", "written"]


MARKER = b"encoder.0.conv0.0.weight"
"""The name by which a training run of InstanSeg is recognised."""


@dataclass(frozen=True)
class Member:
    """One hostile input.

    Attributes:
        name: unique.
        build: writes files into an empty folder and returns the path to be read.
        reader: what reads it: "checkpoint" or "card".
        spec: overrides of the command line.
        settings: settings that are baked in; the checkpoint is read first.
        harmless: it may also be read, with what is hostile in it ignored or cleaned.
    """

    name: str
    build: Callable[[Path], Path]
    reader: Literal["checkpoint", "card"] = "checkpoint"
    spec: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    harmless: bool = False


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return path


def file_form(file: str, content: bytes | str) -> Callable[[Path], Path]:
    return lambda folder: written(folder / file, content)


def entries_form(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Callable[[Path], Path]:
    return lambda folder: archive(folder / "model_weights.pth", entries, compression=compression)


def archive(path: Path, entries: dict[str, bytes], *, compression: int = zipfile.ZIP_STORED, root: str = "x/") -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for entry, data in entries.items():
            file.writestr(root + entry, data)
    return path
