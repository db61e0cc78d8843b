"""An exported model on disk: a package folder, its zip, or one exported file or folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InstansegExportError, PackageError
from ..families.registry import foreign_settings
from ..families.settings import Setting, settings_of
from ..files import files_in, scratch_folder, sha256_of, size_of
from ..images.named import NamedImage
from ..metadata import FOREIGN, Contract, ModelMetadata
from ..untrusted.boundary import plain, present, regular_file
from ..untrusted.zips import naming, unpack
from .package_files import RDF_FILE, Description, read_description, read_samples, read_test

__all__ = ["ExportedModel", "open_model"]

_AGAIN = "Export the model again, or get it again from its publisher."


@dataclass(frozen=True)
class ExportedModel:
    """The files of one model.

    Attributes:
        name: of the model.
        path: a package folder, or the one file.
        metadata: what a file of ours says of itself; None when none of the files does.
        channels: that the model takes; None for any number.
        samples: the package's own images.
        dimensions: 2 for models that take images, 3 for volumes.
        test: the package's own test; None where it has none.
        changed: names of exported files that are not those that the package's description was written for.
    """

    name: str
    path: Path
    metadata: ModelMetadata | None
    channels: int | None
    samples: tuple[NamedImage, ...]
    dimensions: int = 2
    changed: tuple[str, ...] = ()
    test: NamedImage | None = None

    @property
    def contract(self) -> Contract:
        """What a caller has to know of the model; the defaults of files of others where none of ours says it."""
        if self.metadata is not None:
            return self.metadata.contract
        return replace(FOREIGN, channels=self.channels, dimensions=self.dimensions)

    @property
    def settings(self) -> tuple[Setting, ...]:
        """What can be set, by what a file says of itself or, for files of others, by what their family knows."""
        if self.metadata is not None:
            return settings_of(self.metadata)
        files = [file for name in _artefacts() if (file := self.file(name)) is not None]
        return next(filter(None, map(foreign_settings, files)), ())

    def file(self, filename: str) -> Path | None:
        """Return the file (or folder) of that name in a package, or the one exported file if it is of that format."""
        if self.path.is_dir() and not _is_exported_folder(self.path):
            found = self.path / filename
            return found if filename and (found.is_file() or _is_exported_folder(found)) else None
        if self.path.suffix != Path(filename).suffix:
            return None
        from ..targets import TARGETS, known_target

        # Formats may share an ending; then what the file says of itself decides.
        written = None if self.metadata is None else known_target(self.metadata.target)
        formats = {target.filename for target in TARGETS}
        return self.path if written is None or filename == written.filename or filename not in formats else None


@contextmanager
def open_model(path: Path) -> Iterator[ExportedModel]:
    """Yield what lies at ``path``; a zip is unpacked for as long as the block runs. Nothing in it is executed.

    Raises:
        PackageError: it is missing, damaged, or neither a package nor an exported file.
        UnsafeFileError: the zip would write outside of its folder or fill the disk, or a file refers to others.
    """
    if not path.exists():
        raise PackageError(
            f"There is no file or folder {path}.", hint="Give the folder or zip of a package, or an exported file."
        )
    if path.suffix == ".zip" and not path.is_dir():
        with scratch_folder() as folder, naming(path, folder):
            unpack(path, folder, PackageError, hint=_AGAIN)
            yield _read_package(folder, path.stem, path)
    elif path.is_dir() and not _is_exported_folder(path):
        yield _read_package(path, path.resolve().name, path)
    else:
        yield _read_file(path)


def _read_package(folder: Path, name: str, path: Path) -> ExportedModel:
    description = read_description(folder)
    places = [folder / one for one in _artefacts()]
    files = [place for place in places if _is_exported_folder(place) or present(place, PackageError)]
    if description is None and not files:
        raise PackageError(
            f"{path} holds no exported file and no {RDF_FILE}.", hint="Give the folder that instanseg-export wrote."
        )
    metadata = _common_metadata(files, path)
    channels = _channels(metadata, description)
    dimensions = 2 if metadata is None else metadata.dimensions
    samples = tuple(read_samples(folder, description.images if description else [], channels, dimensions))
    # During an export there is no description yet, and the folder has whatever name the user likes.
    own_name = (description.name if description else None) or (metadata.spec.name if metadata is not None else name)
    changed, test = _changed(files, folder, description), _test(folder, description, channels, dimensions)
    return ExportedModel(plain(own_name, 200), folder, metadata, channels, samples, dimensions, changed, test)


def _read_file(path: Path) -> ExportedModel:
    if path.suffix not in _suffixes():
        raise PackageError(
            f"{path} is neither a package nor an exported file.",
            hint=f"Exported files end in {' or '.join(sorted(_suffixes()))}; a package is a folder or a .zip.",
        )
    if (size_of(path) if path.is_dir() else regular_file(path, PackageError)) == 0:
        raise PackageError(f"{path} is empty.", hint=_AGAIN)
    metadata = _metadata(path)
    dimensions = 2 if metadata is None else metadata.dimensions
    channels = _channels(metadata, None)
    beside = _description_beside(path)
    changed, test = _changed([path], path.parent, beside), _test(path.parent, beside, channels, dimensions)
    return ExportedModel(plain(path.stem, 200), path, metadata, channels, (), dimensions, changed, test)


def _artefacts() -> dict[str, str]:
    """Return what runtimes take and targets write: whether it is a "file" or a "folder", by its name in a package."""
    from ..runtimes.registry import list_runtimes
    from ..targets import TARGETS

    taken = {runtime.filename: runtime.artefact.kind for runtime in list_runtimes() if not runtime.defect}
    return {**taken, **{target.filename: target.artefact for target in TARGETS}}


def _suffixes() -> set[str]:
    return {Path(name).suffix for name in _artefacts()}


def _is_exported_folder(path: Path) -> bool:
    """Tell whether there is a folder that a target writes or a runtime takes, not the folder of a package."""
    if not path.is_dir() or (path / RDF_FILE).exists():
        return False
    kinds = _artefacts()
    alike = [kind for name, kind in kinds.items() if Path(name).suffix == path.suffix]
    return kinds.get(path.name, alike[0] if alike else "file") == "folder"


def _metadata(path: Path) -> ModelMetadata | None:
    """Return what a file says of itself; None where others wrote it, or no target of ours reads such files."""
    from ..targets import TARGETS, read_metadata

    if path.suffix not in {Path(target.filename).suffix for target in TARGETS}:
        return None
    return read_metadata(path)


def _common_metadata(files: list[Path], path: Path) -> ModelMetadata | None:
    """Return what the first file of a package says of itself that says anything, and holds the whole model if one does.

    Raises:
        PackageError: another file is of a model of another kind.
    """
    found = [(file, metadata) for file in files if (metadata := _metadata(file)) is not None]
    if not found:
        return None
    found.sort(key=lambda pair: not pair[1].whole)
    first, metadata = found[0]
    for file, other in found[1:]:
        # A network alone gives something else, and may belong to the model all the same.
        outputs = metadata.outputs if other.whole == metadata.whole else other.outputs
        if other.contract != metadata.model_copy(update={"outputs": outputs}).contract:
            raise PackageError(
                f"{path} holds files of two models: {first.name} of {metadata.spec.name} and {file.name} of "
                f"{other.spec.name} do not take or give the same.",
                hint=_AGAIN,
            )
    return metadata


def _description_beside(path: Path) -> Description | None:
    """Return the description of the package that a file lies in; None where it lies in none that knows it."""
    try:
        description = read_description(path.parent)
    except InstansegExportError:
        return None  # of something else, perhaps: nobody asked for it
    return description if description is not None and _stated(path, description) else None


def _test(folder: Path, description: Description | None, channels: int | None, dimensions: int) -> NamedImage | None:
    test = description.test if description else None
    return None if test is None else read_test(folder, test, channels, dimensions)


def _changed(files: list[Path], folder: Path, description: Description | None) -> tuple[str, ...]:
    """Return the names of files, and of folders in which any file is another than stated, missing or added."""
    changed = []
    for file in files:
        stated = _stated(file, description) if description else {}
        if stated and stated != {part.relative_to(folder).as_posix(): sha256_of(part) for part in files_in(file)}:
            changed.append(file.name)
    return tuple(changed)


def _stated(file: Path, description: Description) -> dict[str, str]:
    """Return what a package's description states of a file, or of the files in a folder: hashes, by name."""
    return {name: digest for name, digest in description.hashes.items() if name.partition("/")[0] == file.name}


def _channels(metadata: ModelMetadata | None, description: Description | None) -> int | None:
    if metadata is not None:
        return metadata.spec.channels
    return description.channels if description else None
