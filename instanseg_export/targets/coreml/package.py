"""An .mlpackage: written so that two exports of one model have the same bytes, and read without Core ML's tools."""

from __future__ import annotations

import hashlib
import json
import mmap
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import PackageError
from ...limits import MAX_METADATA_BYTES
from ...metadata import METADATA_KEY, ModelMetadata, parse_metadata
from ...untrusted.boundary import parsing
from ...untrusted.protobuf import fields

__all__ = ["read_package", "write_package"]

_AUTHOR = "com.apple.CoreML"
_PROGRAM, _WEIGHTS = f"Data/{_AUTHOR}/model.mlmodel", f"Data/{_AUTHOR}/weights/weight.bin"
_ITEMS = {"model.mlmodel": "CoreML Model Specification", "weights": "CoreML Model Weights"}
_WHAT = "Core ML model"
_HINT = "Export the checkpoint again, or get the package again from its publisher."

# Fields of Model, ModelDescription, Metadata and its map of strings (coremltools' Model.proto).
_DESCRIPTION, _ML_PROGRAM, _METADATA, _USER_DEFINED, _KEY, _VALUE = 2, 502, 100, 100, 1, 2


def write_package(spec: Any, weights: bytes, metadata: ModelMetadata, path: Path) -> None:
    """Write a package into an empty folder.

    Args:
        spec: the model (protobuf); its metadata are replaced.
        weights: the file of weights that it refers to; empty if it refers to none.
        metadata: it is completed by the hash of program and weights.
        path: of the folder.
    """
    about = spec.description.metadata
    about.Clear()
    what = "image in, label map out" if metadata.whole else "network only: normalised image in, its raw output out"
    about.shortDescription = f"{metadata.spec.name}: {what}"
    about.versionString = metadata.version
    digest = _digest(spec.mlProgram.SerializeToString(deterministic=True), weights)
    about.userDefined[METADATA_KEY] = metadata.model_copy(update={"graph_sha256": digest}).text()
    (path / _WEIGHTS).parent.mkdir(parents=True)
    (path / _PROGRAM).write_bytes(spec.SerializeToString(deterministic=True))
    if weights:
        (path / _WEIGHTS).write_bytes(weights)
    (path / "Manifest.json").write_text(json.dumps(_manifest(), indent=4) + "\n", encoding="utf-8")


def _manifest() -> dict[str, Any]:
    # Elsewhere the identifiers are random.
    items = {name: str(uuid.uuid5(uuid.NAMESPACE_URL, f"instanseg-export:{name}")).upper() for name in _ITEMS}
    return {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": {
            identifier: {"author": _AUTHOR, "description": _ITEMS[name], "name": name, "path": f"{_AUTHOR}/{name}"}
            for name, identifier in items.items()
        },
        "rootModelIdentifier": items["model.mlmodel"],
    }


def _digest(program: bytes | memoryview, weights: bytes | memoryview) -> str:
    digest = hashlib.sha256(program)
    digest.update(weights)
    return digest.hexdigest()


def read_package(path: Path) -> ModelMetadata | None:
    """Return what :func:`write_package` embedded, or None if others wrote the package.

    Raises:
        PackageError: it is damaged, was changed since, or is of a newer version.
    """
    for name in ("Manifest.json", _PROGRAM):
        if not (path / name).is_file() or not (path / name).stat().st_size:
            raise PackageError(f"{path} is damaged: it has no {name}.", hint=_HINT)
    with (
        parsing(path, "the Core ML model", PackageError, hint=_HINT),
        (path / _PROGRAM).open("rb") as model,
        mmap.mmap(model.fileno(), 0, access=mmap.ACCESS_READ) as data,
        _mapped(path / _WEIGHTS) as weights,
    ):
        text, program = _description(data), _only(data, _ML_PROGRAM, (0, len(data)))
        if program is None:
            raise ValueError("it holds no ML program")
        with memoryview(data) as view, view[slice(*program)] as part, memoryview(weights) as whole:
            digest = _digest(part, whole)
    if text is None:
        return None
    metadata = parse_metadata(text, path)
    if metadata.graph_sha256 != digest:
        raise PackageError(
            f"{path} is damaged, or was changed after the export: its program is not the one that was written.",
            hint=_HINT,
        )
    return metadata


@contextmanager
def _mapped(path: Path) -> Iterator[Any]:
    """Yield the bytes of a file that may be missing or empty."""
    if not path.is_file() or not path.stat().st_size:
        yield b""
        return
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def _description(data: Any) -> bytes | None:
    """Return the text of ours among a model's metadata."""
    description = _only(data, _DESCRIPTION, (0, len(data)))
    about = None if description is None else _only(data, _METADATA, description)
    if about is None:
        return None
    for number, start, end in fields(data, *about, _WHAT):
        if number == _USER_DEFINED:
            key = _only(data, _KEY, (start, end))
            value = _only(data, _VALUE, (start, end))
            if key is not None and value is not None and data[slice(*key)] == METADATA_KEY.encode():
                if value[1] - value[0] > MAX_METADATA_BYTES:
                    raise ValueError(f"its description of itself has {value[1] - value[0]:,} bytes")
                text: bytes = data[slice(*value)]
                return text
    return None


def _only(data: Any, wanted: int, within: tuple[int, int]) -> tuple[int, int] | None:
    """Return where the one field of a number lies."""
    found = [(start, end) for number, start, end in fields(data, *within, _WHAT) if number == wanted]
    if len(found) > 1:
        raise ValueError(f"field {wanted} is there {len(found)} times")
    return found[0] if found else None
