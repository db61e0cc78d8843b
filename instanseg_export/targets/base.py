"""What a target is: one file format that a forward can be written to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..metadata import METADATA_KEY, ModelMetadata

if TYPE_CHECKING:
    from ..forwards.base import Forward

__all__ = ["METADATA_KEY", "Artifact", "Target"]


@dataclass(frozen=True)
class Artifact:
    """A file that was written.

    Attributes:
        target: the name of its target.
        path: where it is.
        sha256: of its bytes, in hex.
        size: in bytes.
    """

    target: str
    path: Path
    sha256: str
    size: int


class Target(Protocol):
    """Writes one format. Members of the registry in ``targets/__init__.py``.

    Attributes:
        name: as users type it.
        filename: of the file in a package.
        describes: one line for the list of targets.
        overridable: whether settings can be overridden at run time.
        dynamic_shapes: whether one file takes any batch size, height and width.
        exposes_stages: whether the file can give the intermediate results that the forward names.
    """

    name: str
    filename: str
    describes: str
    overridable: bool
    dynamic_shapes: bool
    exposes_stages: bool

    def unavailable(self) -> str | None:
        """Return why this machine cannot write the format, or None if it can."""
        ...

    def write(self, forward: Forward, metadata: ModelMetadata, path: Path) -> None:
        """Write ``forward`` (see ``forwards``) with ``metadata`` embedded to ``path``.

        Raises:
            ExportError: the exporter refused it.
            OutputError: the file cannot be written.
        """
        ...

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """Return the metadata that ``write`` embedded, or None if others wrote the file. Nothing in it is executed.

        Raises:
            PackageError: the file is damaged, refers to other files, or is of a newer version.
        """
        ...
