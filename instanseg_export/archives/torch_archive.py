"""Opening files of torch without trusting them: kinds by first bytes, and checked zip archives."""

from __future__ import annotations

import re
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

from ..errors import CheckpointError, UnsafeFileError
from ..limits import MAX_ARCHIVE_DIRECTORY, MAX_PICKLE_BYTES, MAX_SAFETENSORS_HEADER
from ..untrusted.boundary import allowed, parsing, plain, regular_file

__all__ = ["FileKind", "TorchArchive", "damaged", "first_line", "is_script_file", "kind_of", "peek"]

FileKind = Literal["missing", "folder", "special", "empty", "zip", "pickle", "safetensors", "other"]

_LEGACY_HEAD = 1 << 22
"""In files from before torch 1.6 the names of all tensors stand within this many bytes from the start."""

_SAFETENSORS_HEAD = 100_000_000
"""The safetensors format allows a header of this many bytes."""

_CHUNK = 1 << 24


def kind_of(path: Path) -> FileKind:
    """Tell by the first bytes what ``path`` is. A file that cannot be opened counts as missing.

    Pipes, devices and sockets are "special": opening one can take for ever.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return "folder"
        if not stat.S_ISREG(mode):
            return "special"
        with path.open("rb") as stream:
            head = stream.read(16)
    except (OSError, ValueError):
        return "missing"
    if not head:
        return "empty"
    if head[:2] == b"PK":
        return "zip"
    if len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5:  # the opcode PROTO and its version
        return "pickle"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _SAFETENSORS_HEAD:
        return "safetensors"
    return "other"


def damaged(path: Path, fact: str) -> CheckpointError:
    """Return the error for a file whose form is broken."""
    return CheckpointError(f"{path} is damaged or incomplete: {fact}.", hint="Copy or download the file again.")


def first_line(error: BaseException) -> str:
    """Return the first line of a library's message, cut to a part of a sentence."""
    try:
        text = (str(error).splitlines() or [""])[0]
    except Exception:  # a library's error can fail at describing itself
        text = ""
    return plain(text, 200).rstrip(". ") or type(error).__name__


class _Frugal:
    """A file of which no more than ``limit`` bytes are read at once while its table of contents is looked for."""

    def __init__(self, stream: BinaryIO, path: Path, limit: int) -> None:
        self._stream = stream
        self._path = path
        self.limit: int | None = limit

    def read(self, count: int = -1) -> bytes:
        if self.limit is None:
            return self._stream.read(count)
        data = self._stream.read(self.limit + 1 if count < 0 else min(count, self.limit + 1))
        if len(data) > self.limit:
            raise UnsafeFileError(
                f"{self._path} has a table of contents of more than {self.limit:,} bytes.",
                hint="Get the file again, from a source that you trust.",
            )
        return data

    def seek(self, place: int, whence: int = 0) -> int:
        return self._stream.seek(place, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._stream.close()


class TorchArchive:
    """A zip file that torch wrote, opened only after its table of contents was found harmless.

    Args:
        path: the file.

    Raises:
        UnsafeFileError: an entry climbs out of the archive, stands there twice, or claims more bytes than the file has.
        CheckpointError: it is no whole zip file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = regular_file(path, CheckpointError)
        with parsing(path, "the file", CheckpointError):
            self._file = _Frugal(path.open("rb"), path, allowed(MAX_ARCHIVE_DIRECTORY))
        try:
            self._zip = self._opened()
            self._entries = self._check(self._zip.infolist())
        except BaseException:
            self._file.close()
            raise
        self._file.limit = None
        roots = {name.partition("/")[0] for name in self._entries}
        self._root = f"{roots.pop()}/" if len(roots) == 1 else ""

    def _opened(self) -> zipfile.ZipFile:
        with parsing(self.path, "its table of contents", CheckpointError):
            try:
                return zipfile.ZipFile(self._file)
            except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
                raise damaged(self.path, f"it starts like a zip file, but {first_line(error)}") from error

    def _check(self, entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        by_name: dict[str, zipfile.ZipInfo] = {}
        for entry in entries:
            parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
            if not parts or ".." in parts or parts[0].startswith("/") or re.match(r"[A-Za-z]:", parts[0]):
                raise self._unsafe(f"has an entry {plain(entry.filename, 100)!r}, whose path leaves the archive")
            if entry.filename in by_name:
                raise self._unsafe(f"has two entries called {plain(entry.filename, 100)}")
            by_name[entry.filename] = entry
        claimed = sum(entry.compress_size for entry in entries)
        if claimed > self.size:
            raise self._unsafe(f"claims to hold {claimed:,} bytes of data, but is only {self.size:,} bytes long")
        return by_name

    def _unsafe(self, fact: str) -> UnsafeFileError:
        return UnsafeFileError(f"{self.path} {fact}.", hint="Get the file again, from a source that you trust.")

    def __enter__(self) -> TorchArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return self._root + name in self._entries

    def names(self) -> list[str]:
        """Return the entries below the archive's single top folder, without it."""
        return [name.removeprefix(self._root) for name in self._entries]

    def read(self, name: str) -> bytes:
        """Return the bytes of an entry.

        Raises:
            UnsafeFileError: it is compressed; see :meth:`require_stored`.
            CheckpointError: it is not there or broken.
        """
        return bytes(self.read_data(name))

    def read_pickle(self) -> bytes:
        """Return the bytes of the pickle, which describes the tensors.

        Raises:
            CheckpointError: it is not there, broken, or larger than any network's.
        """
        entry = self._entry("data.pkl")
        if entry.file_size > allowed(MAX_PICKLE_BYTES):
            raise damaged(self.path, f"its pickle has {entry.file_size:,} bytes, more than any network's")
        return self.read("data.pkl")

    def read_data(self, name: str) -> bytearray:
        """Return the bytes of an entry in a buffer that may be written to; see :meth:`read`."""
        entry = self._entry(name)
        data = bytearray(entry.file_size)  # no more than the file has: see _check and _require_stored
        with parsing(self.path, f"its entry {plain(name, 100)}", CheckpointError), self._zip.open(entry) as stream:
            view = memoryview(data)
            while view:
                part = stream.read(min(len(view), _CHUNK))
                if not part:
                    raise damaged(self.path, f"its entry {plain(name, 100)} ends early")
                view[: len(part)] = part
                view = view[len(part) :]
            stream.read(1)  # which compares the checksum
        return data

    @property
    def big_endian(self) -> bool:
        """Whether the data of tensors has the order of bytes of few machines."""
        return "byteorder" in self and self.read("byteorder")[:8] == b"big"

    def _entry(self, name: str) -> zipfile.ZipInfo:
        entry = self._entries.get(self._root + name)
        if entry is None:
            raise damaged(self.path, f"its archive has no entry {plain(name, 100)}")
        self._require_stored(entry)
        return entry

    def require_stored(self) -> None:
        """Make sure that no entry is compressed: torch stores data as it is, and a bomb does not.

        Raises:
            UnsafeFileError: an entry is compressed.
        """
        for entry in self._entries.values():
            self._require_stored(entry)

    def _require_stored(self, entry: zipfile.ZipInfo) -> None:
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise self._unsafe(
                f"has an entry {plain(entry.filename, 100)} that claims to unpack to {entry.file_size:,} bytes, where "
                "torch never packs its data"
            )


def is_script_file(path: Path) -> bool:
    """Tell whether a file is a TorchScript archive."""
    if kind_of(path) != "zip":
        return False
    try:
        with TorchArchive(path) as archive:
            return "data.pkl" in archive and any(name.startswith("code/") for name in archive.names())
    except CheckpointError:
        return False


def peek(path: Path) -> bytes:
    """Return the bytes in which the names of a file's tensors stand, or nothing where there are none to be found."""
    kind = kind_of(path)
    try:
        if kind == "zip":
            with TorchArchive(path) as archive:
                return archive.read_pickle() if "data.pkl" in archive else b""
        if kind in ("pickle", "safetensors"):
            with path.open("rb") as stream:
                return stream.read(_LEGACY_HEAD if kind == "pickle" else allowed(MAX_SAFETENSORS_HEADER))
    except (CheckpointError, OSError):
        pass
    return b""
