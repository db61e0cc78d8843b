"""Opening files of torch without trusting them: kinds by first bytes, and checked zip archives."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path, PurePosixPath
from typing import Literal

from ..errors import CheckpointError, UnsafeFileError

__all__ = ["FileKind", "TorchArchive", "damaged", "first_line", "kind_of", "peek"]

FileKind = Literal["missing", "folder", "empty", "zip", "pickle", "safetensors", "other"]

_LEGACY_HEAD = 1 << 22
"""In files from before torch 1.6 the names of all tensors stand within this many bytes from the start."""

_SAFETENSORS_HEAD = 100_000_000
"""The safetensors format allows a header of this many bytes."""


def kind_of(path: Path) -> FileKind:
    """Tell by the first bytes what ``path`` is. A file that cannot be opened counts as missing."""
    try:
        if path.is_dir():
            return "folder"
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
    text = (str(error).splitlines() or [""])[0].rstrip(". ")[:200]
    return text or type(error).__name__


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
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError) as error:
            raise damaged(path, f"it starts like a zip file, but {first_line(error)}") from error
        try:
            self._entries = self._check(self._zip.infolist())
        except BaseException:
            self._zip.close()
            raise
        roots = {name.partition("/")[0] for name in self._entries}
        self._root = f"{roots.pop()}/" if len(roots) == 1 else ""

    def _check(self, entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        by_name: dict[str, zipfile.ZipInfo] = {}
        for entry in entries:
            parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
            if not parts or ".." in parts or parts[0].startswith("/") or re.match(r"[A-Za-z]:", parts[0]):
                raise self._unsafe(f"has an entry {entry.filename!r}, whose path leaves the archive")
            if entry.filename in by_name:
                raise self._unsafe(f"has two entries called {entry.filename}")
            by_name[entry.filename] = entry
        claimed = sum(entry.compress_size for entry in entries)
        if claimed > self.path.stat().st_size:
            size = self.path.stat().st_size
            raise self._unsafe(f"claims to hold {claimed:,} bytes of data, but is only {size:,} bytes long")
        return by_name

    def _unsafe(self, fact: str) -> UnsafeFileError:
        return UnsafeFileError(f"{self.path} {fact}.", hint="Get the file again, from a source that you trust.")

    def __enter__(self) -> TorchArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

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
        entry = self._entries.get(self._root + name)
        if entry is None:
            raise damaged(self.path, f"its archive has no entry {name}")
        self._require_stored(entry)
        try:
            return self._zip.read(entry)
        except (zipfile.BadZipFile, OSError, ValueError, EOFError, RuntimeError, NotImplementedError) as error:
            raise damaged(self.path, f"its entry {name} cannot be read ({first_line(error)})") from error

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
                f"has an entry {entry.filename} that claims to unpack to {entry.file_size:,} bytes, where torch never "
                "packs its data"
            )


def peek(path: Path) -> bytes:
    """Return the bytes in which the names of a file's tensors stand, or nothing where there are none to be found."""
    kind = kind_of(path)
    try:
        if kind == "zip":
            with TorchArchive(path) as archive:
                return archive.read("data.pkl") if "data.pkl" in archive else b""
        if kind in ("pickle", "safetensors"):
            with path.open("rb") as stream:
                return stream.read(_LEGACY_HEAD if kind == "pickle" else _safetensors_head(stream.read(8)))
    except (CheckpointError, OSError):
        pass
    return b""


def _safetensors_head(length: bytes) -> int:
    return min(int.from_bytes(length, "little"), _SAFETENSORS_HEAD)
