"""The zip of a package: the same files give the same bytes."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path

from ..errors import PackageError
from ..files import MARKER, staged_file

__all__ = ["zip_package"]

_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


def _entry(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_EPOCH)
    entry.create_system = _UNIX
    entry.external_attr = mode << 16 | (0x10 if name.endswith("/") else 0)
    entry.compress_type = zipfile.ZIP_STORED if name.endswith("/") else zipfile.ZIP_DEFLATED
    return entry


def _is_ours(path: Path) -> bool:
    """Tell whether a zip is as :func:`zip_package` leaves it: what other programs put in has another time."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            modes = [stat.S_IFDIR | 0o755 if name.endswith("/") else stat.S_IFREG | 0o644 for name in names]
            expected = [_entry(name, mode) for name, mode in zip(names, modes, strict=True)]
            alike = all(
                (one.date_time, one.create_system, one.external_attr, one.compress_type)
                == (other.date_time, other.create_system, other.external_attr, other.compress_type)
                for one, other in zip(entries, expected, strict=True)
            )
            return "rdf.yaml" in names and alike and archive.testzip() is None
    except (OSError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return False


def zip_package(folder: Path, destination: Path, *, overwrite: bool = False) -> None:
    """Write a package folder as a zip with ``rdf.yaml`` at its root.

    Entries are sorted, with fixed times and permissions, so that the bytes depend on the files alone. Subfolders have
    entries of their own, before their files: QuPath does not create folders that the zip does not name. The folder's
    list of contents stays outside: it belongs to the folder. With ``overwrite``, only a zip as this function writes it
    is replaced.

    Raises:
        PackageError: the folder has no ``rdf.yaml``, or something in it is neither a file nor a folder.
        OutputError: ``destination`` exists and may not be replaced, cannot be written, or the disk is full.
    """
    if not (folder / "rdf.yaml").is_file():
        raise PackageError(f"{folder} has no rdf.yaml.", hint="Give the folder of a package that was exported.")
    members = sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix())
    for member in members:
        if member.is_symlink() or not (member.is_file() or member.is_dir()):
            raise PackageError(f"{member} is neither a file nor a folder.", hint="Remove it from the package.")
    members = [member for member in members if member != folder / MARKER]
    with (
        staged_file(destination, overwrite=overwrite, ours=_is_ours) as staged,
        zipfile.ZipFile(staged, "w", compresslevel=6) as archive,
    ):
        for member in members:
            name = member.relative_to(folder).as_posix()
            if member.is_dir():
                archive.writestr(_entry(f"{name}/", stat.S_IFDIR | 0o755), b"")
            else:
                entry = _entry(name, stat.S_IFREG | 0o644)
                entry.file_size = member.stat().st_size
                with member.open("rb") as source, archive.open(entry, "w") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
