"""The seal at the end of a TIFF file: by it the tool knows again a file that it wrote, and those written with it.

A line of JSON behind the last byte that the file's own directory points to, where readers of TIFF do not look: the
SHA-256 of all bytes before it, and of each file that was written together with it. Any change breaks it, and so does
saving the file with another program.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

__all__ = ["append_seal", "read_seal"]

_START = b"\ninstanseg-export seal "
_LONGEST = 1 << 16
_BLOCK = 1 << 20


def append_seal(path: Path, origin: str, files: Mapping[str, str]) -> None:
    """Seal a finished file.

    Args:
        path: of the file.
        origin: what it was made from.
        files: SHA-256 of each file that was written with it, by name.
    """
    with path.open("rb+") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        content = {"sha256": digest, "origin": origin, "files": dict(files)}
        stream.seek(0, os.SEEK_END)
        stream.write(_seal(content))
        stream.flush()
        with suppress(OSError):  # not every file system can
            os.fsync(stream.fileno())


def _seal(content: Mapping[str, object]) -> bytes:
    return _START + json.dumps(content).encode() + b"\n"


def read_seal(path: Path) -> tuple[str, dict[str, str]] | None:
    """Return what a sealed file was made from and the files that were written with it; None if no seal holds."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _LONGEST))
            tail = stream.read(_LONGEST)
            start = tail.rfind(_START)
            if start < 0:
                return None
            content = json.loads(tail[start + len(_START) :])
            if tail[start:] != _seal(content) or _digest(stream, size - len(tail) + start) != content["sha256"]:
                return None
            return str(content["origin"]), {str(name): str(digest) for name, digest in content["files"].items()}
    except (OSError, ValueError, OverflowError, KeyError, TypeError, AttributeError, RecursionError, MemoryError):
        return None


def _digest(stream: IO[bytes], length: int) -> str:
    """Return the SHA-256 of the first bytes of a file."""
    digest = hashlib.sha256()
    stream.seek(0)
    while length > 0:
        block = stream.read(min(_BLOCK, length))
        if not block:
            break
        digest.update(block)
        length -= len(block)
    return digest.hexdigest()
