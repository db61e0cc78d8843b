"""Targets: from a forward to one self-contained file per format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import PackageError
from ..registry import Registry
from .base import Artifact, Target

if TYPE_CHECKING:
    from ..checkpoints.base import Checkpoint
    from ..forwards.base import Forward

__all__ = ["TARGETS", "read_metadata", "target_of", "write_artifact"]

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


def read_metadata(path: Path) -> dict[str, Any]:
    """Return what an exported file says of itself: spec, settings, tunables, version and source; see ``metadata.py``.

    Raises:
        PackageError: the file is damaged, or was not written by this package.
    """
    if not path.is_file():
        raise PackageError(f"There is no file {path}.", hint="Check the path.")
    return target_of(path).read_metadata(path)


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
