"""A .pte file: an ExecuTorch program, and behind it what the file says of itself.

ExecuTorch reads the lengths of a program from its beginning, and nothing behind that. So a file is the program, then
the description in UTF-8, then the description's length (8 bytes, lowest first), then the word ``instanseg_export``.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from pathlib import Path

from ...errors import PackageError
from ...limits import MAX_METADATA_BYTES
from ...metadata import METADATA_KEY, ModelMetadata, parse_metadata
from ...untrusted.boundary import parsing

__all__ = ["read_program", "write_program"]

_HINT = "Export the checkpoint again, or get the file again from its publisher."
_WORD = METADATA_KEY.encode()
_LENGTH = struct.Struct("<Q")
_END = _LENGTH.size + len(_WORD)

# Offset of the root, identifier; then ExecuTorch's extended header (schema/extended_header.h): its magic and length,
# the flatbuffer's length, where the segments begin, and their length.
_HEADER = struct.Struct("<4x4s4sIQQQ")


def write_program(program: bytes, metadata: ModelMetadata, path: Path) -> None:
    """Write a program with its description.

    Args:
        program: of ExecuTorch.
        metadata: it is completed by the hash of the program.
        path: of the new file.
    """
    text = metadata.model_copy(update={"graph_sha256": hashlib.sha256(program).hexdigest()}).text().encode()
    path.write_bytes(program + text + _LENGTH.pack(len(text)) + _WORD)


def read_program(path: Path) -> ModelMetadata | None:
    """Return what :func:`write_program` embedded, or None if others wrote the file. Nothing in it is executed.

    Raises:
        PackageError: it is damaged, was changed since, or is of a newer version.
    """
    with (
        parsing(path, "the ExecuTorch program", PackageError, hint=_HINT),
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        size = _program_size(data)
        if size > len(data):
            raise ValueError(f"it has {len(data):,} bytes, and its program alone should have {size:,}")
        if data[-len(_WORD) :] != _WORD:
            return None
        (length,) = _LENGTH.unpack(data[-_END : -len(_WORD)])
        start = len(data) - _END - length
        if length > MAX_METADATA_BYTES or start < size:
            raise ValueError(f"its description of itself has {length:,} bytes")
        text = data[start:-_END]
        with memoryview(data) as view, view[:start] as program:
            digest = hashlib.sha256(program).hexdigest()
    metadata = parse_metadata(text, path)
    if metadata.graph_sha256 != digest:
        raise PackageError(
            f"{path} is damaged, or was changed after the export: its program is not the one that was written.",
            hint=_HINT,
        )
    return metadata


def _program_size(data: mmap.mmap) -> int:
    """Return how many bytes a program has, as its beginning says."""
    if len(data) < _HEADER.size:
        raise ValueError(f"it has {len(data)} bytes")
    identifier, extended, _, flatbuffer, segments, segments_size = _HEADER.unpack(data[: _HEADER.size])
    if not identifier.startswith(b"ET"):
        raise ValueError("it does not begin as such a program does")
    if extended != b"eh00":  # of early versions, which say no length
        return 0
    return int(max(flatbuffer, segments + segments_size))
