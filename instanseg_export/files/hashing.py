"""Hashes of files and folders."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .contents import files_in

__all__ = ["sha256_of"]


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
