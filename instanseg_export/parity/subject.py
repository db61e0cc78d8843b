"""What is validated: a package folder, its zip, or one exported file."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InstansegExportError, PackageError, UnsafeFileError
from ..files import size_of
from .named_image import NamedImage

__all__ = ["Subject", "open_subject"]

_RDF = "rdf.yaml"
_SAMPLES = "sample-*.tif"
_LARGEST_PACKAGE = 32 << 30


@dataclass(frozen=True)
class Subject:
    """The files of one model.

    Attributes:
        name: of the model.
        path: a package folder, or the one file.
        metadata: what a file of ours says of itself; None when none of the files does.
        channels: that the model takes; None for any number.
        samples: the package's own images.
        dimensions: 2 for models that take images, 3 for volumes.
    """

    name: str
    path: Path
    metadata: Mapping[str, Any] | None
    channels: int | None
    samples: tuple[NamedImage, ...]
    dimensions: int = 2

    def file(self, filename: str) -> Path | None:
        """Return the file (or folder) of that name in a package, or the one exported file if it is of that format."""
        if self.path.is_dir() and not _is_exported(self.path):
            return self.path / filename if filename and _is_exported(self.path / filename) else None
        return self.path if self.path.suffix == Path(filename).suffix else None


@contextmanager
def open_subject(path: Path) -> Iterator[Subject]:
    """Yield what lies at ``path``; a zip is unpacked for as long as the block runs.

    Raises:
        PackageError: it is missing, damaged, or neither a package nor an exported file.
        UnsafeFileError: the zip would write outside of its folder.
    """
    if not path.exists():
        raise PackageError(f"There is no {path}.", hint="Give the folder or zip of a package, or an exported file.")
    if path.suffix == ".zip":
        with tempfile.TemporaryDirectory(prefix="instanseg-export-") as folder:
            _unpack(path, Path(folder))
            yield _read_package(Path(folder), path.stem)
    elif path.is_dir() and not _is_exported(path):
        yield _read_package(path, path.resolve().name)
    else:
        yield _read_file(path)


def _read_package(folder: Path, name: str) -> Subject:
    rdf = _read_rdf(folder) if (folder / _RDF).is_file() else {}
    metadata = next(filter(None, (_metadata(file) for file in _model_files(folder))), None)
    if metadata is None and not rdf and not any(_model_files(folder)):
        raise PackageError(
            f"{folder} holds no exported file and no {_RDF}.", hint="Give the folder that instanseg-export wrote."
        )
    channels = _channels(metadata, rdf)
    dimensions = int((metadata or {}).get("dimensions", 2))
    samples = tuple(_samples(folder, rdf, channels, dimensions))
    # During an export there is no description yet, and the folder has whatever name the user likes.
    own_name = rdf.get("name") or (metadata["spec"]["name"] if metadata is not None else name)
    return Subject(str(own_name), folder, metadata, channels, samples, dimensions)


def _read_file(path: Path) -> Subject:
    if path.suffix not in _suffixes():
        raise PackageError(
            f"{path} is neither a package nor an exported file.",
            hint=f"Exported files end in {' or '.join(sorted(_suffixes()))}; a package is a folder or a .zip.",
        )
    if size_of(path) == 0:
        raise PackageError(f"{path} is empty.", hint="Export the model again.")
    metadata = _metadata(path)
    return Subject(path.stem, path, metadata, _channels(metadata, {}), (), int((metadata or {}).get("dimensions", 2)))


def _filenames() -> list[str]:
    from ..targets import TARGETS
    from .runtimes import list_runtimes

    taken = (runtime.filename for runtime in list_runtimes() if runtime.filename)
    return list(dict.fromkeys([*taken, *(target.filename for target in TARGETS)]))


def _suffixes() -> set[str]:
    return {Path(name).suffix for name in _filenames()}


def _model_files(folder: Path) -> list[Path]:
    return [folder / name for name in _filenames() if _is_exported(folder / name)]


def _is_exported(path: Path) -> bool:
    """Tell whether there is something that a runtime may take: a file, or a folder where a format is one."""
    from ..targets import is_artifact

    return path.is_file() or (is_artifact(path) and not (path / _RDF).is_file())


def _metadata(path: Path) -> Mapping[str, Any] | None:
    """Return what the file says of itself; None for those of others and for damaged ones, which no runtime loads."""
    from ..targets import read_metadata

    try:
        return read_metadata(path)
    except InstansegExportError:
        return None


def _read_rdf(folder: Path) -> Mapping[str, Any]:
    import yaml

    try:
        content = yaml.safe_load((folder / _RDF).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PackageError(f"{folder / _RDF} cannot be read: {error}.", hint="Export the model again.") from error
    if not isinstance(content, dict):
        raise PackageError(f"{folder / _RDF} is not a description of a model.", hint="Export the model again.")
    return content


def _inputs(rdf: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = rdf.get("inputs")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _channels(metadata: Mapping[str, Any] | None, rdf: Mapping[str, Any]) -> int | None:
    if metadata is not None:
        channels = metadata["spec"]["channels"]
        return None if channels is None else int(channels)
    for row in _inputs(rdf):
        axes = row.get("axes")
        for axis in axes if isinstance(axes, list) else []:
            names = axis.get("channel_names") if isinstance(axis, dict) else None
            if isinstance(names, list) and names:
                return len(names)
    return None


def _samples(folder: Path, rdf: Mapping[str, Any], channels: int | None, dimensions: int) -> Iterator[NamedImage]:
    """Yield the images that the package's description names as inputs, and pictures that lie beside them."""
    names = []
    for row in _inputs(rdf):
        for key in ("test_tensor", "sample_tensor"):
            source = row.get(key)
            name = source.get("source") if isinstance(source, dict) else source
            if isinstance(name, str) and PurePosixPath(name).name == name:
                names.append(name)
    names += sorted(path.name for path in folder.glob(_SAMPLES) if not path.stem.endswith("-labels"))
    seen: list[npt.NDArray[np.float32]] = []
    for name in dict.fromkeys(names):
        if not (folder / name).is_file():
            raise PackageError(f"{folder} has no {name}, which its {_RDF} names.", hint="Export the model again.")
        array = _read_array(folder / name, dimensions)
        if array is None or (channels is not None and array.shape[-1 - dimensions] != channels):
            continue
        sample = NamedImage(name, array, "of the package", sample=True, dimensions=dimensions)
        if not any(np.array_equal(sample.batch(), other, equal_nan=True) for other in seen):
            seen.append(sample.batch())
            yield sample


def _read_array(path: Path, dimensions: int) -> npt.NDArray[Any] | None:
    if path.suffix == ".npy":
        try:
            array: npt.NDArray[Any] = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise PackageError(f"{path} cannot be read: {error}.", hint="Export the model again.") from error
        return array if array.ndim - dimensions in (1, 2) and array.dtype.kind in "fiub" else None
    from ..images import read_image

    return read_image(path, dimensions).array


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            for member in members:
                _check_member(path, member)
            if sum(member.file_size for member in members) > _LARGEST_PACKAGE:
                raise UnsafeFileError(f"{path} unpacks to more than 32 GiB.", hint="Check where it comes from.")
            for member in members:
                target = folder / member.filename
                if member.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise PackageError(f"{path} cannot be unpacked: {error}.", hint="Download or export it again.") from error


def _check_member(path: Path, member: zipfile.ZipInfo) -> None:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    climbs = name.is_absolute() or ".." in name.parts or ":" in member.filename
    if climbs or stat.S_ISLNK(member.external_attr >> 16):
        raise UnsafeFileError(
            f"{path} holds {member.filename!r}, which would be written outside of its folder.",
            hint="Do not use this file; get the package from its publisher.",
        )
