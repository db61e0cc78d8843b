"""What the page is told of its model: ``model/model.json``, as ``runtimes/web/src/model/manifest.ts`` reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import PackageError
from ..exported_model import ExportedModel
from ..exported_model.package_files import Description, read_description, sample_pictures
from ..files import sha256_of
from ..inference.normalisation import is_standardised, percentiles_of
from ..metadata import ModelMetadata
from ..targets import TARGETS, read_metadata

__all__ = ["PageModel", "page_model"]

_FORMAT = 1
_TARGET = "onnx"


@dataclass(frozen=True)
class PageModel:
    """What of a model goes beside the page.

    Attributes:
        file: the ONNX file.
        metadata: what it says of itself.
        description: of its package.
        samples: images of the package.
    """

    file: Path
    metadata: ModelMetadata
    description: Description
    samples: tuple[Path, ...]

    @property
    def name(self) -> str:
        """Of the model."""
        return self.description.name or self.metadata.spec.name

    def manifest(self) -> str:
        """Return the manifest as JSON."""
        percentiles = None if is_standardised(self.metadata) else percentiles_of(self.metadata, self.file)
        content: dict[str, Any] = {
            "format": _FORMAT,
            "name": self.name,
            "description": self.description.summary,
            "license": self.description.licence,
            "authors": self.description.authors,
            "cite": self.description.citations,
            "written_by": self.metadata.version,
            "file": self.file.name,
            "bytes": self.file.stat().st_size,
            "sha256": sha256_of(self.file),
            "percentiles": percentiles,
            "metadata": json.loads(self.metadata.text()),
            "samples": [{"file": path.name, "title": _title(path)} for path in self.samples],
        }
        return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1)


def page_model(path: Path, model: ExportedModel) -> PageModel:
    """Return what of a model goes beside the page.

    Args:
        path: as the user named it.
        model: it, opened.

    Raises:
        PackageError: it has no ONNX file of ours, its file is not the one that the package was written with, or it
            takes volumes or images of one size, or holds the network alone.
    """
    target = TARGETS.get(_TARGET)
    file = model.file(target.filename)
    if file is None or not file.is_file():
        raise PackageError(
            f"{path} holds no {target.filename}, which the web page runs.", hint=f"Export it with --targets {_TARGET}."
        )
    if file.name in model.changed:
        raise PackageError(
            f"{file.name} in {path} is not the file that the package was written with.",
            hint="Export the model again, or get it again from its publisher.",
        )
    metadata = read_metadata(file)
    if metadata is None:
        raise PackageError(
            f"{file.name} in {path} was not written by instanseg-export.", hint="Export its checkpoint, and serve that."
        )
    if metadata.dimensions != 2 or metadata.image_shape is not None or not metadata.whole:
        what = (
            "takes volumes"
            if metadata.dimensions != 2
            else "takes images of one size only"
            if metadata.image_shape is not None
            else "holds the network alone"
        )
        raise PackageError(
            f"{file.name} in {path} {what}, and the web page segments images of any size.",
            hint=f"Serve a model of images, exported with --targets {_TARGET}; instanseg-export run takes the others.",
        )
    folder = model.path if model.path.is_dir() else None
    description = (read_description(folder) if folder else None) or Description({})
    return PageModel(file, metadata, description, tuple(sample_pictures(folder)) if folder else ())


def _title(path: Path) -> str:
    return path.stem.removeprefix("sample-").replace("-", " ").replace("_", " ").capitalize()
