"""Zip files of others: their table of contents is compared with the file before anything in it is unpacked."""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ..errors import InstansegExportError, UnsafeFileError
from ..limits import MAX_ZIP_BASE, MAX_ZIP_MEMBERS, MAX_ZIP_RATIO
from .boundary import parsing, plain, regular_file

__all__ = ["check_zip", "naming", "unpack"]

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


def check_zip(
    members: Sequence[zipfile.ZipInfo],
    path: Path,
    size: int,
    error: type[InstansegExportError],
    *,
    hint: str,
    ratio: int = MAX_ZIP_RATIO,
) -> None:
    """Refuse a zip whose members climb out of it, overlap, stand there twice, or unpack to far more than it has.

    Args:
        members: its table of contents.
        path: of the zip, for messages.
        size: of the zip, in bytes.
        error: the kind of error for what is merely damaged.
        hint: the remedy for that.
        ratio: how many times its own size large entries may unpack to.

    Raises:
        UnsafeFileError: it would write outside of its folder, or fill the disk.
        InstansegExportError: of kind ``error``.
    """
    if len(members) > MAX_ZIP_MEMBERS:
        raise _unsafe(f"{path} has {len(members):,} entries.")
    names: set[str] = set()
    files = {member.filename for member in members if not member.is_dir()}
    for member in members:
        _check_name(path, member)
        name = member.filename.rstrip("/")
        if name in names:
            raise _unsafe(f"{path} has two entries called {plain(name, 100)}.")
        names.add(name)
        if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
            how = "encrypted" if member.flag_bits & _ENCRYPTED else "packed in an unknown way"
            raise error(f"{path} cannot be unpacked: {plain(name, 100)} is {how}.", hint=hint)
    for name in names:
        if inside := next((str(part) for part in PurePosixPath(name).parents if str(part) in files), None):
            raise _unsafe(f"{path} has an entry inside of {plain(inside, 100)}, which is a file.")
    _check_sizes(path, members, size, ratio)
    end = 0
    for member in sorted(members, key=lambda one: one.header_offset):
        if member.header_offset < end:
            raise _unsafe(f"{path} has entries that overlap, as {plain(member.filename, 100)} does.")
        end = member.header_offset + member.compress_size


def unpack(path: Path, folder: Path, error: type[InstansegExportError], *, hint: str) -> None:
    """Unpack a zip into an empty folder, after :func:`check_zip` found it harmless.

    Raises:
        UnsafeFileError, InstansegExportError: as there; or the disk is full.
    """
    size = regular_file(path, error)
    with parsing(path, "the zip", error, hint=hint), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        check_zip(members, path, size, error, hint=hint)
        for member in members:
            target = folder / member.filename
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("xb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)


@contextmanager
def naming(path: Path, folder: Path) -> Iterator[None]:
    """Let messages name a zip and what is in it, not the folder that it is unpacked to."""
    try:
        yield
    except InstansegExportError as error:
        inside, itself = f"{path}: ", str(path)
        error.message = error.message.replace(f"{folder}/", inside).replace(str(folder), itself)
        error.hint = error.hint.replace(f"{folder}/", inside).replace(str(folder), itself)
        error.args = (error.message,)
        raise


def _check_sizes(path: Path, members: Sequence[zipfile.ZipInfo], size: int, ratio: int) -> None:
    claimed = sum(member.compress_size for member in members)
    if claimed > size:
        raise _unsafe(f"{path} claims to hold {claimed:,} bytes of data, but is only {size:,} bytes long.")
    for member in members:
        if member.file_size > max(MAX_ZIP_BASE, ratio * member.compress_size):
            raise _unsafe(
                f"{path} holds {plain(member.filename, 100)}, whose {member.compress_size:,} bytes would unpack to "
                f"{member.file_size:,}."
            )
    unpacked = sum(member.file_size for member in members)
    if unpacked > MAX_ZIP_BASE + ratio * size:
        raise _unsafe(f"{path} has {size:,} bytes and would unpack to {unpacked:,}.")


def _check_name(path: Path, member: zipfile.ZipInfo) -> None:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    climbs = not name.parts or name.is_absolute() or ".." in name.parts or ":" in member.filename
    kind = stat.S_IFMT(member.external_attr >> 16)
    if climbs or kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeFileError(
            f"{path} holds {plain(member.filename, 100)!r}, which would be written outside of its folder.",
            hint="Do not use this file; get it again from its publisher.",
        )


def _unsafe(message: str) -> UnsafeFileError:
    return UnsafeFileError(message, hint="Do not use this file; get it again from its publisher.")
