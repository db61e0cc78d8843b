"""Targets: from a forward to one self-contained file per format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..boundary import regular_file
from ..errors import PackageError
from ..metadata import ModelMetadata
from ..registry import Registry
from .base import Artifact, Target

if TYPE_CHECKING:
    from ..checkpoints.base import Checkpoint
    from ..forwards.base import Forward

__all__ = ["TARGETS", "read_metadata", "require_metadata", "target_of", "write_artifact"]

TARGETS: Registry[Target] = Registry(
    "target",
    "instanseg_export.targets",
    {
        "torchscript": "instanseg_export.targets.torchscript:TARGET",
        "onnx": "instanseg_export.targets.onnx:TARGET",
    },
)


def target_of(path: Path) -> Target:
    """Return the target whose files end like ``path``.

    Raises:
        PackageError: no target writes such files.
    """
    for target in TARGETS:
        if Path(target.filename).suffix == path.suffix:
            return target
    endings = ", ".join(f"{target.name} ({Path(target.filename).suffix})" for target in TARGETS)
    raise PackageError(f"{path} is not of a known format.", hint=f"Formats are: {endings}.")


def read_metadata(path: Path) -> ModelMetadata | None:
    """Return what an exported file says of itself, or None if others wrote it. Nothing in the file is executed.

    Raises:
        PackageError: the file is missing, damaged, refers to other files, or is of a newer version.
    """
    size, target = regular_file(path, PackageError), target_of(path)
    if size == 0:
        raise PackageError(f"{path} is empty.", hint="Export the checkpoint again.")
    return target.read_metadata(path)


def require_metadata(path: Path) -> ModelMetadata:
    """Return the same of a file that this package wrote.

    Raises:
        PackageError: as for :func:`read_metadata`, and where others wrote the file.
    """
    metadata = read_metadata(path)
    if metadata is None:
        raise PackageError(
            f"{path} carries no description of its own.",
            hint="Only files that instanseg-export wrote have one: export the checkpoint again.",
        )
    return metadata


def write_artifact(target: str, forward: Forward, checkpoint: Checkpoint, path: Path) -> Artifact:
    """Write a forward in the format of a target.

    Args:
        target: its name in :data:`TARGETS`.
        forward: of :func:`instanseg_export.build_forward`.
        checkpoint: that the forward was built from.
        path: of the new file, in an existing folder. Nothing may be there yet.

    Raises:
        UnknownNameError: there is no such target.
        ExportError: the format cannot be written here, or the exporter refused the forward.
        OutputError: the file exists, or cannot be written.
    """
    from ..files import sha256_of, staged_file
    from .metadata import describe

    writer = TARGETS.get(target)
    reason = writer.unavailable()
    if reason is not None:
        from ..errors import ExportError

        raise ExportError(f"{target} cannot be written on this machine: {reason}.", hint="Run: instanseg-export doctor")
    with staged_file(path) as staged:
        writer.write(forward, describe(target, forward, checkpoint), staged)
    return Artifact(target, path, sha256_of(path), path.stat().st_size)
