"""Targets: from a forward to one self-contained file, or folder, per format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PackageError
from ..metadata import ModelMetadata
from ..registry import Registry
from ..untrusted.boundary import regular_file
from .base import Artifact, Target

if TYPE_CHECKING:
    from ..families.base import SegmentationForward
    from ..families.checkpoint import Checkpoint
    from .static import StaticShape

__all__ = [
    "TARGETS",
    "is_artifact",
    "known_target",
    "read_metadata",
    "require_available",
    "require_metadata",
    "target_of",
    "write_artifact",
]

TARGETS: Registry[Target] = Registry(
    "target",
    "instanseg_export.targets",
    {
        "torchscript": "instanseg_export.targets.torchscript.target:TARGET",
        "onnx": "instanseg_export.targets.onnx.target:TARGET",
        "exported_program": "instanseg_export.targets.exported_program.target:TARGET",
        "onnx_static": "instanseg_export.targets.onnx.static_target:TARGET",
        "coreml": "instanseg_export.targets.coreml.target:TARGET",
        "coreml_network": "instanseg_export.targets.coreml.network_target:TARGET",
        "aot_inductor": "instanseg_export.targets.aot_inductor.target:TARGET",
        "aot_inductor_network": "instanseg_export.targets.aot_inductor.network_target:TARGET",
        "executorch": "instanseg_export.targets.executorch.target:TARGET",
    },
)


def target_of(path: Path) -> Target:
    """Return the target whose artefacts are called like ``path``, or else end like it.

    Raises:
        PackageError: no target writes such files, or there is a folder where the target writes a file, or the reverse.
    """
    targets = list(TARGETS)
    found = [target for target in targets if target.filename == path.name]
    found += [target for target in targets if Path(target.filename).suffix == path.suffix]
    if not found:
        endings = ", ".join(f"{target.name} ({Path(target.filename).suffix})" for target in targets)
        raise PackageError(f"{path} is not of a known format.", hint=f"Formats are: {endings}.")
    target = found[0]
    if path.exists() and path.is_dir() != (target.artefact == "folder"):
        kind = "folder" if path.is_dir() else "file"
        raise PackageError(
            f"{path} is a {kind}, but {target.name} is written as a {target.artefact}.",
            hint="Export the checkpoint again.",
        )
    return target


def known_target(name: str) -> Target | None:
    """Return the target of that name; None for a format that nobody here writes, but of which a runtime takes files."""
    return TARGETS.get(name) if name in TARGETS.names() else None


def is_artifact(path: Path) -> bool:
    """Tell whether there is, at a path, a file or a folder of the kind that a target writes."""
    if not path.exists():
        return False
    try:
        target_of(path)
    except PackageError:
        return False
    return True


def read_metadata(path: Path) -> ModelMetadata | None:
    """Return what an exported artefact says of itself, or None if others wrote it. Nothing in it is executed.

    Raises:
        PackageError: the file is missing, damaged, refers to other files, or is of a newer version.
    """
    from ..files import size_of

    size = size_of(path) if path.is_dir() else regular_file(path, PackageError)
    target = target_of(path)
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


def require_available(target: Target) -> None:
    """Check that this machine can write a format.

    Raises:
        ExportError: it cannot.
    """
    reason = target.unavailable()
    if reason is not None:
        from ..errors import ExportError

        words = f"{target.name} cannot be written on this machine: {reason}."
        raise ExportError(words, hint="instanseg-export doctor lists what this machine can write.")


def write_artifact(
    target: str,
    forward: SegmentationForward,
    checkpoint: Checkpoint,
    path: Path,
    static: StaticShape | None = None,
) -> Artifact:
    """Write a forward in the format of a target.

    Args:
        target: its name in :data:`TARGETS`.
        forward: of :func:`instanseg_export.build_forward`.
        checkpoint: that the forward was built from.
        path: of the new file or folder, in an existing folder. Nothing may be there yet.
        static: what a format without dynamic shapes is made for; None for the defaults.

    Raises:
        UnknownNameError: there is no such target.
        ExportError: the format cannot be written here, or the exporter refused the forward.
        OutputError: something is there, or it cannot be written.
    """
    from ..files import sha256_of, size_of, staged_file, staged_part
    from .capabilities import require_form
    from .metadata import describe
    from .static import StaticShape

    writer = TARGETS.get(target)
    require_available(writer)
    require_form(writer, forward, static or StaticShape())
    stage = staged_part if writer.artefact == "folder" else staged_file
    with stage(path) as staged:
        writer.write(forward, describe(target, forward, checkpoint, static), staged)
    return Artifact(target, path, sha256_of(path), size_of(path))
