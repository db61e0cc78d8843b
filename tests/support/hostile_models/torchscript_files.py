"""Files of TorchScript: damage, odd entries, and code."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from support.hostile_models.parts import (
    Member,
    content_for,
    cut,
    flipped,
    later,
    one_file,
    overlapping,
    torchscript_with,
)

__all__ = ["torchscript_files"]


def torchscript_files(canary: Path) -> Iterator[Member]:
    def good() -> bytes:
        return torchscript_with(json.dumps(content_for("torchscript")))

    for tenth in range(10):
        build = one_file("instanseg.pt", lambda tenth=tenth: cut(good(), tenth))  # type: ignore[misc]
        yield Member(f"TorchScript: cut at {tenth} tenths", build)
    with zipfile.ZipFile(io.BytesIO(good())) as archive:
        entries = [(entry.header_offset, entry) for entry in archive.infolist() if entry.file_size > 20]
    for offset, entry in entries:
        place = offset + 30 + len(entry.filename) + entry.file_size // 2
        build = one_file("instanseg.pt", lambda place=place: flipped(good(), place))  # type: ignore[misc]
        yield Member(f"TorchScript: a bit flipped in {entry.filename}", build)
    yield Member(
        "TorchScript: a description that unpacks to 300 MB",
        one_file("instanseg.pt", lambda: torchscript_with(b" " * 300_000_000, compressed=True)),
    )
    yield Member(
        "TorchScript: a packed description",
        one_file("instanseg.pt", later(torchscript_with, "[" * 10**6, compressed=True)),
    )
    yield Member(
        "TorchScript: two descriptions",
        one_file("instanseg.pt", lambda: torchscript_with(json.dumps(content_for("torchscript")), times=2)),
    )
    for name in ("../evil", "/evil", "a/../../evil", "C:\\evil", "..\\evil"):
        yield Member(f"TorchScript: an entry {name}", one_file("instanseg.pt", later(_zip_with, good, name)))
    yield Member("TorchScript: overlapping entries", one_file("instanseg.pt", lambda: overlapping(good())))

    class Run:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {canary}",)

    def executes() -> bytes:
        result = io.BytesIO()
        with zipfile.ZipFile(result, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Run()))
            archive.writestr("archive/code/x.py", f"import os; os.system('touch {canary}')")
            archive.writestr("archive/constants.pkl", pickle.dumps(Run()))
            archive.writestr("archive/version", "3")
        return result.getvalue()

    yield Member("TorchScript: it runs a program", one_file("instanseg.pt", executes), harmless=True)


def _zip_with(good: Callable[[], bytes], name: str, content: bytes = b"evil") -> bytes:
    result = io.BytesIO(good())
    with zipfile.ZipFile(result, "a") as archive:
        archive.writestr(name, content)
    return result.getvalue()
