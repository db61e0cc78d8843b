"""Files that PyTorch writes as zip archives: the description that they carry, and whether all readers see the same."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import PackageError
from ..limits import MAX_METADATA_BYTES
from ..metadata import METADATA_FILE, ModelMetadata, parse_metadata
from ..untrusted.boundary import parsing
from ..untrusted.zips import check_zip

__all__ = ["ambiguities", "read_embedded"]

_END = b"PK\5\6"


def read_embedded(path: Path, what: str) -> ModelMetadata | None:
    """Return what a file says of itself, or None if others wrote it. Nothing in it is executed.

    Args:
        path: of the file.
        what: it should be, for messages, as in "the TorchScript file".

    Raises:
        PackageError: it is damaged, or of a newer version.
        UnsafeFileError: the archive would fill the memory.
    """
    hint = "Export the checkpoint again, or get the file again from its publisher."
    with parsing(path, what, PackageError, hint=hint), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        check_zip(members, path, path.stat().st_size, PackageError, hint=hint)
        if broken := archive.testzip():
            raise ValueError(f"its entry {broken} does not have its checksum")
        found = [member for member in members if member.filename.endswith(f"/extra/{METADATA_FILE}")]
        if not found:
            return None
        if len(found) > 1:
            raise ValueError("it describes itself twice")
        with archive.open(found[0]) as stream:
            text = stream.read(MAX_METADATA_BYTES + 1)
    return parse_metadata(text, path)


def ambiguities(path: Path) -> Iterator[str]:
    """Yield, as phrases, what of an archive others may read differently from Python.

    Other readers look for the table of contents in other ways: only where there is one way are both sure to see the
    same members.
    """
    with path.open("rb") as stream:
        if stream.read(4) != b"PK\3\4":
            yield "a beginning that is no zip archive's"
        stream.seek(-22, 2)
        end = stream.read(22)
    if not end.startswith(_END) or not end.endswith(b"\0\0"):
        yield "more than an archive"
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        offsets = [member.header_offset for member in members]
        if offsets and archive.start_dir < max(offsets):
            yield "a table of contents that lies before its members"
        if len({member.filename.casefold() for member in members}) < len(members):
            yield "two members of one name"
        if offsets and 0 not in offsets:
            yield "something before its first member"
