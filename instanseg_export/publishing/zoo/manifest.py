"""What the zoo keeps of a model beside its files: the description, who may work on it, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...files import sha256_of
from ...packaging.rdf_file import RDF_FILE, rdf_text
from ..package import PackageFile, PublishedPackage
from .identity import Identity

__all__ = [
    "DRAFT",
    "IN_REVIEW",
    "IN_REVISION",
    "ZOO_FILE",
    "described_files",
    "description",
    "manifest_of",
    "permissions_for",
]

DRAFT, IN_REVIEW, IN_REVISION = "draft", "in-review", "in-revision"
ZOO_FILE = "bioimageio.yaml"
"""What the zoo calls the description; ``rdf.yaml``, the same, is for QuPath and Fiji."""

_REVIEWER = ("rw", "rw+", "*")
_MAY_EDIT = "rw+"
_NO_EMOJI = "🦒"


def description(
    package: PublishedPackage, artifact: str, collection: Mapping[str, Any], owner: Identity
) -> dict[str, Any]:
    """Return a package's description as the zoo has it: with the zoo's id, its emoji, and who uploaded it.

    Args:
        package: that is published.
        artifact: id in the zoo, as in bioimage-io/affable-shark.
        collection: of the zoo, which knows the emoji.
        owner: of the token.
    """
    alias = artifact.rpartition("/")[2]
    content = {**package.content, "id": alias, "id_emoji": _emoji(collection, alias)}
    if owner.email:
        content["uploader"] = {"email": owner.email}
    return content


def described_files(package: PublishedPackage, content: Mapping[str, Any], folder: Path) -> tuple[PackageFile, ...]:
    """Return all files that go into the zoo: a package's own, and the description under both of its names.

    Args:
        package: that is published.
        content: of the description.
        folder: to write it to.
    """
    written, text = [], rdf_text(content)
    for name in (ZOO_FILE, RDF_FILE):
        path = folder / name
        path.write_text(text, encoding="utf-8", newline="\n")
        written.append(PackageFile(name, path, path.stat().st_size, sha256_of(path)))
    return (*written, *package.files)


def manifest_of(content: Mapping[str, Any], status: str, files: Sequence[PackageFile] = ()) -> dict[str, Any]:
    """Return the manifest: the description, where the model stands, and the SHA-256 of each file.

    The status is the zoo's own affair: in the description itself, bioimageio.spec would refuse it.
    """
    hashes = {"file_sha256": {file.name: file.sha256 for file in files}} if files else {}
    return {**content, "status": status, **hashes}


def permissions_for(package: PublishedPackage, collection: Mapping[str, Any]) -> dict[str, str]:
    """Return who may work on a model: the zoo's reviewers, and the authors and maintainers whose e-mail is known.

    The collection's other entries are left out: among them is one by which any user could add files to the draft.
    """
    config = collection.get("config")
    known = config.get("permissions") if isinstance(config, dict) else None
    found = {
        user: _MAY_EDIT
        for user, may in (known.items() if isinstance(known, dict) else ())
        if isinstance(user, str) and user not in ("@", "*") and may in _REVIEWER
    }
    for key in ("authors", "maintainers"):
        for person in package.content.get(key) or ():
            if isinstance(person, dict) and isinstance(person.get("email"), str):
                found.setdefault(person["email"].lower(), _MAY_EDIT)
    return found


def _emoji(collection: Mapping[str, Any], alias: str) -> str:
    config = collection.get("config")
    parts = config.get("id_parts") if isinstance(config, dict) else None
    if isinstance(parts, dict):
        animals, emojis = parts.get("animal"), parts.get("animal_emoji")
        if isinstance(animals, list) and isinstance(emojis, list):
            found = dict(zip(animals, emojis, strict=False)).get(alias.rpartition("-")[2])
            if isinstance(found, str) and found:
                return found
    return _NO_EMOJI
