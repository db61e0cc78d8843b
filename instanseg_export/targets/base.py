"""What a target is: one format that a forward can be written to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from ..metadata import ModelMetadata

if TYPE_CHECKING:
    from ..families.base import SegmentationForward

__all__ = ["Artifact", "Target"]


@dataclass(frozen=True)
class Artifact:
    """A file, or a folder, that was written.

    Attributes:
        target: the name of its target.
        path: where it is.
        sha256: of its bytes, in hex; see :func:`files.sha256_of` for that of a folder.
        size: in bytes, of all files in it.
    """

    target: str
    path: Path
    sha256: str
    size: int


class Target(Protocol):
    """Writes one format. Members of the registry in ``targets/__init__.py``.

    The flags say what the format can do, and the rest of the package asks them: ``settings.py`` for those of settings,
    ``capabilities.py`` for the others.

    Attributes:
        name: as users type it.
        filename: of the artefact in a package. The ending tells formats apart.
        artefact: whether it is a file or a folder.
        describes: one line for the list of targets.
        traces: whether the forward is written as it ran once, so that what shapes its graph is fixed; otherwise its
            branches on settings are in the file.
        overridable: whether settings can be overridden at run time.
        dynamic_shapes: whether one file takes any batch size, height and width. If not, its metadata say which one it
            takes and how many seeds it has room for, and the format is written from the forward's static form.
        exposes_stages: whether the file can give the intermediate results that the forward names.
        whole: whether the file holds the whole forward, image in, label map out. If not, it holds the network alone:
            the stage "normalize" in, the stage "network" out.
        open_loops: whether the format takes loops over as many objects as an image has. If not, only forwards without
            such loops are written, or those of which there is a form without them.
    """

    name: str
    filename: str
    artefact: Literal["file", "folder"]
    describes: str
    traces: bool
    overridable: bool
    dynamic_shapes: bool
    exposes_stages: bool
    whole: bool
    open_loops: bool

    def unavailable(self) -> str | None:
        """Return why this machine cannot write the format, or None if it can."""
        ...

    def write(self, forward: SegmentationForward, metadata: ModelMetadata, path: Path) -> None:
        """Write ``forward`` (see ``forwards``) with ``metadata`` embedded to ``path``.

        A file does not exist yet; a folder exists and is empty.

        Raises:
            ExportError: the exporter refused it; its attribute ``step`` says where.
            OutputError: the file cannot be written.
        """
        ...

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """Return the metadata that ``write`` embedded, or None if others wrote the file. Nothing in it is executed.

        Raises:
            PackageError: the file is damaged, refers to other files, or is of a newer version.
        """
        ...
