"""The list of contents that a folder carries: by it the tool knows again what it wrote, and only that."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import OutputError
from ..limits import MAX_TEXT_BYTES
from ..untrusted.boundary import plain, read_limited
from ..untrusted.json_texts import load_json_text
from .hashing import sha256_of

__all__ = ["MARKER", "Seen", "kind_of_folder", "recognise", "remove_listed", "write_marker"]

MARKER = ".instanseg-export.json"
"""In a folder that this tool wrote: what kind of output it is, and the size and SHA-256 of each file in it."""

_FORMAT = "instanseg-export output"
_VERSION = 1
_NAMED = 5


@dataclass(frozen=True)
class Seen:
    """What was at the place of an output, and may be replaced.

    Attributes:
        device, inode: which file or folder it is.
        digest: SHA-256 of the file, or of a folder's list of contents.
    """

    device: int
    inode: int
    digest: str


@dataclass(frozen=True)
class _Contents:
    kind: str
    files: dict[str, tuple[int, str]]
    folders: frozenset[str]
    digest: str


def write_marker(folder: Path, kind: str) -> None:
    """List a finished folder's contents in it, and see to it that all of them are on the disk.

    Args:
        folder: holds files and folders only.
        kind: of output: "package", "report" or "benchmark".
    """
    files, folders = {}, []
    for name, path in _walk(folder):
        if path.is_dir():
            folders.append(name)
            continue
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            with suppress(OSError):  # not every file system can
                os.fsync(stream.fileno())
        files[name] = {"size": path.stat().st_size, "sha256": digest}
    content = {"format": _FORMAT, "version": _VERSION, "kind": kind, "files": files, "folders": folders}
    with (folder / MARKER).open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(json.dumps(content, indent=1) + "\n")
        stream.flush()
        with suppress(OSError):
            os.fsync(stream.fileno())


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield all that is in a folder but its list, by name relative to it; links are not followed."""
    for place, folders, files in os.walk(folder):
        for name in sorted([*folders, *files]):
            path = Path(place) / name
            relative = path.relative_to(folder).as_posix()
            if relative != MARKER:
                yield relative, path


def _read(folder: Path) -> _Contents | None:
    path = folder / MARKER
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return None
        data = read_limited(path, MAX_TEXT_BYTES, "a list of contents", OutputError, hint="")
        content = load_json_text(data, path, "a list of contents", OutputError)
        if content["format"] != _FORMAT or content["version"] != _VERSION:
            return None
        files = {str(name): (int(row["size"]), str(row["sha256"])) for name, row in content["files"].items()}
        folders = frozenset(map(str, content["folders"]))
        return _Contents(str(content["kind"]), files, folders, hashlib.sha256(data).hexdigest())
    except (OSError, OutputError, MemoryError, ValueError, OverflowError, KeyError, TypeError, AttributeError):
        return None


def kind_of_folder(folder: Path) -> str:
    """Return the kind of output that a folder says it is; empty if it carries no list of contents."""
    contents = _read(folder)
    return "" if contents is None else plain(contents.kind, 40)


def _strangers(folder: Path, contents: _Contents) -> Iterator[str]:
    """Yield what is in a folder and was not written, or was changed since. What was deleted is no loss."""
    for name, path in _walk(folder):
        try:
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                known = name in contents.folders
            else:
                size, digest = contents.files.get(name, (-1, ""))
                known = stat.S_ISREG(status.st_mode) and status.st_size == size and sha256_of(path) == digest
        except OSError:
            known = False
        if not known:
            yield name


def recognise(path: Path, kind: str, shown: Path) -> Seen:
    """Return what a folder is, if it is wholly what this tool wrote.

    Args:
        path: the folder.
        kind: that it must be of.
        shown: its name in messages.

    Raises:
        OutputError: it is a link, no folder, of another kind, or holds something that this tool did not write.
    """
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise OutputError(f"{shown} is a link, and links are not replaced.", hint="Give the folder itself as --output.")
    if not stat.S_ISDIR(status.st_mode):
        raise OutputError(f"{shown} is a file, not a folder.", hint="Choose another --output.")
    contents = _read(path)
    if contents is None:
        if not any(path.iterdir()):
            raise OutputError(
                f"{shown} is an empty folder that this tool did not make.",
                hint="Delete it, or choose another --output.",
            )
        raise OutputError(
            f"{shown} is not replaced: it has no list of contents ({MARKER}) that shows that this tool wrote it.",
            hint="If you do not need it, move or delete it yourself; or choose another --output.",
        )
    if contents.kind != kind:
        raise OutputError(
            f"{shown} is not replaced: it is a {plain(contents.kind, 40)}, and a {kind} is to be written.",
            hint="Choose another --output.",
        )
    strangers = sorted(_strangers(path, contents))
    if strangers:
        named = ", ".join(plain(name, 80) for name in strangers[:_NAMED]) + (
            f" and {len(strangers) - _NAMED} more" if len(strangers) > _NAMED else ""
        )
        raise OutputError(
            f"{shown} is not replaced: it holds what this tool did not write, or what was changed since: {named}.",
            hint="Move that to another place, or choose another --output.",
        )
    return Seen(status.st_dev, status.st_ino, contents.digest)


def remove_listed(folder: Path) -> bool:
    """Delete what a folder's list names and nothing else; tell whether the folder is gone.

    What is in it beside that, or appears while this runs, stays, and so does the folder then.
    """
    contents = _read(folder)
    if contents is not None:
        for name, path in _walk(folder):
            if name in contents.files and not path.is_dir():
                path.unlink(missing_ok=True)
        for name, path in sorted(_walk(folder), reverse=True):
            if name in contents.folders:
                with suppress(OSError):
                    path.rmdir()
        with suppress(OSError):
            if not any(True for _ in _walk(folder)):
                (folder / MARKER).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
    return not os.path.lexists(folder)
