"""Reading and writing files and folders safely: hashes, and outputs that appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError

__all__ = ["files_in", "sha256_of", "size_of", "staged_file", "staged_folder"]


def files_in(path: Path) -> list[Path]:
    """Return the files of a folder and of its subfolders, sorted by their names within it; of a file, itself."""
    if not path.is_dir():
        return [path]
    return sorted(
        (inner for inner in path.rglob("*") if inner.is_file()), key=lambda inner: inner.relative_to(path).as_posix()
    )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex; of a folder, that of its files' names and hashes.

    A folder's hash depends on nothing else: not on times, on permissions, on empty subfolders or on where it lies.
    """
    if path.is_dir():
        digest = hashlib.sha256()
        for inner in files_in(path):
            # No name holds a zero byte, so that no two folders give the same text.
            digest.update(f"{inner.relative_to(path).as_posix()}\0{sha256_of(inner)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def size_of(path: Path) -> int:
    """Return the size of a file, or of all files in a folder, in bytes."""
    return sum(inner.stat().st_size for inner in files_in(path))


def _explain(error: OSError, path: Path) -> OutputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            f"The disk is full: {path} was not written.", hint="Free some space or choose another place with --output."
        )
    return OutputError(
        f"Cannot write {path}: {error.strerror or error}.",
        hint="Choose a place that you may write to with --output.",
    )


def _check_free(path: Path, overwrite: bool) -> None:
    if (path.exists() or path.is_symlink()) and not overwrite:
        raise OutputError(f"{path} exists already.", hint="Pass --overwrite to replace it, or another --output.")


@contextmanager
def staged_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that is renamed to ``path`` when the block succeeds.

    Whatever happens inside, including an interruption, ``path`` is afterwards either the whole new folder or as it was
    before.

    Raises:
        OutputError: ``path`` exists and ``overwrite`` is False, cannot be written, or the disk is full.
    """
    _check_free(path, overwrite)
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file, not a folder.", hint="Choose another --output.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise _explain(error, path) from error
    content = staging / path.name
    try:
        content.mkdir()
        yield content
        if path.exists():
            path.rename(staging / "replaced")
        try:
            content.rename(path)
        except BaseException:
            if (staging / "replaced").exists():
                (staging / "replaced").rename(path)
            raise
    except OutputError as error:
        # Of a file inside, whose temporary place means nothing to the user.
        raise OutputError(error.message.replace(str(content), str(path)), hint=error.hint) from error
    except OSError as error:
        raise _explain(error, path) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def staged_file(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces ``path`` when the block succeeds.

    Raises:
        OutputError: as for :func:`staged_folder`.
    """
    _check_free(path, overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise _explain(error, path) from error
    try:
        yield staging / path.name
        (staging / path.name).replace(path)
    except OSError as error:
        raise _explain(error, path) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
