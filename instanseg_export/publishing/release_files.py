"""A package as people download it: one archive, its checksum, and the entry of QuPath's list of models."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from ..files import sha256_of
from ..packaging.archive import zip_package
from ..packaging.rdf_file import RDF_FILE
from .package import PackageFile, PublishedPackage

__all__ = [
    "CHECKSUMS",
    "QUPATH_INDEX",
    "archive_name",
    "file_at",
    "qupath_entry",
    "safe_name",
    "write_archive",
    "write_checksums",
    "write_index",
]

CHECKSUMS = "SHA256SUMS"
QUPATH_INDEX = "model-index.json"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def archive_name(package: PublishedPackage) -> str:
    """Return the name of a package's archive, in characters that no server changes."""
    return f"{safe_name(package.name)}-{safe_name(package.version)}.zip"


def safe_name(text: str) -> str:
    """Return a text as a part of an address."""
    return _UNSAFE.sub("-", text).strip("-.") or "model"


def write_archive(package: PublishedPackage, folder: Path, scratch: Path) -> PackageFile:
    """Write a package's archive: what its description names, and nothing that only lies beside it.

    Args:
        package: to pack.
        folder: exists, and gets the archive.
        scratch: a folder for copies; what is written to it is removed.
    """
    inside = scratch / "archive"
    for name, source in ((RDF_FILE, package.folder / RDF_FILE), *((file.name, file.path) for file in package.files)):
        place = inside / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
    path = folder / archive_name(package)
    zip_package(inside, path)
    shutil.rmtree(inside)
    return file_at(path)


def file_at(path: Path) -> PackageFile:
    """Return a file that was written here, under its own name."""
    return PackageFile(path.name, path, path.stat().st_size, sha256_of(path))


def write_checksums(folder: Path, files: list[PackageFile]) -> PackageFile:
    """Write the SHA-256 of files as ``sha256sum --check`` reads them."""
    path = folder / CHECKSUMS
    path.write_text("".join(f"{file.sha256}  {file.name}\n" for file in files), encoding="utf-8", newline="\n")
    return file_at(path)


def qupath_entry(package: PublishedPackage, url: str) -> dict[str, str]:
    """Return a model's entry as QuPath's InstanSeg extension reads them from its model-index.json."""
    return {"name": package.name, "url": url, "version": package.version, "license": package.license}


def write_index(folder: Path, entries: list[dict[str, Any]]) -> PackageFile:
    """Write entries of :func:`qupath_entry` as the list that the extension reads."""
    path = folder / QUPATH_INDEX
    path.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    return file_at(path)
