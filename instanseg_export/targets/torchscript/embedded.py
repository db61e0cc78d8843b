"""The description of itself that a TorchScript file carries, in an entry of its zip archive."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ...errors import PackageError
from ...limits import MAX_METADATA_BYTES
from ...metadata import METADATA_FILE, ModelMetadata, parse_metadata
from ...untrusted.boundary import parsing
from ...untrusted.zips import check_zip

__all__ = ["read_embedded"]


def read_embedded(path: Path) -> ModelMetadata | None:
    """Return what a file says of itself, or None if others wrote it. Nothing in it is executed.

    Raises:
        PackageError: it is damaged, or of a newer version.
        UnsafeFileError: the archive would fill the memory.
    """
    hint = "Export the checkpoint again, or get the file again from its publisher."
    with parsing(path, "the TorchScript file", PackageError, hint=hint), zipfile.ZipFile(path) as archive:
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
