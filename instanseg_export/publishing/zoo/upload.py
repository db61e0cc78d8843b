"""The way of a package into the zoo: a draft, its files, and in the end the wish that a reviewer looks at it.

It may break off anywhere. A draft's manifest says which bytes each of its files has, and is written before the files
are; a file whose bytes are to change is removed before that. So each file in a draft is whole and what the manifest
says, and the next run uploads the rest. Only when all files are there does the draft go into review.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...errors import PublishError
from ...packaging.rdf_file import check_rdf
from ...plain_text import plain
from ...progress import Steps
from ..answers import NoAnswerError
from ..names import RESERVED
from ..package import PackageFile, PublishedPackage
from .identity import Identity
from .manager import COLLECTION, ArtifactManager
from .manifest import (
    DRAFT,
    IN_REVIEW,
    ZOO_FILE,
    described_files,
    description,
    manifest_of,
    permissions_for,
)
from .place import Place, find_place

__all__ = ["ZooUpload", "abort_upload", "upload_to_zoo"]

_PAGE = "https://bioimage.io/#/upload?artifact_id={}&stage=true"
_PLACEHOLDER = f"{COLLECTION.partition('/')[0]}/affable-shark"


@dataclass(frozen=True)
class ZooUpload:
    """What is in the zoo now.

    Attributes:
        id: of the model there, as in bioimage-io/affable-shark; empty if nothing was found to abort.
        outcome: "created", "new version", "resumed", "unchanged" or "removed".
        status: of the draft: "in-review" or "draft"; empty once it is removed.
        uploaded: names of the files that were sent.
        kept: how many files were there already, with the same bytes.
        url: of the draft's page.
        notes: what the user should know.
    """

    id: str
    outcome: Literal["created", "new version", "resumed", "unchanged", "removed"]
    status: str = ""
    uploaded: tuple[str, ...] = ()
    kept: int = 0
    url: str = ""
    notes: tuple[str, ...] = field(default=())


def upload_to_zoo(
    package: PublishedPackage,
    manager: ArtifactManager,
    owner: Identity,
    *,
    scratch: Path,
    given: str | None = None,
    review: bool = True,
    steps: Steps | None = None,
) -> ZooUpload:
    """Bring a package into the zoo as a draft and submit it for review.

    A model of the same name and owner becomes a new version, and a draft that broke off is completed.

    Args:
        package: to upload.
        manager: of the zoo's server.
        owner: of the token.
        scratch: an empty folder.
        given: the id of the model that the package is the next version of; without it, it is looked for by its name.
        review: submit it; else it stays a draft.
        steps: count the files.

    Raises:
        PublishError: it is in review or published already, the server refuses or does not answer, or what arrived is
            not what was sent. What was uploaded until then stays, as a draft that nobody else is shown.
    """
    steps = steps or Steps()
    # Before anything is sent: what the zoo adds to the description must pass the zoo's reader, too.
    check_rdf(package.folder, description(package, _PLACEHOLDER, {}, owner))
    steps.start("looking for the model in the zoo")
    collection = manager.read(COLLECTION)
    place = find_place(manager, package.name, owner, given)
    outcome: Literal["created", "new version", "resumed"] = "created"
    if place.kind == "nothing":
        steps.tell("creating the draft")
        place, resumed = _create(package, manager, owner, collection, place)
        outcome = "resumed" if resumed else "created"
    elif place.kind == "draft":
        outcome = "resumed"
    content = description(package, place.id, collection, owner)
    files = described_files(package, content, scratch)
    if place.kind == "in review":
        return _in_review(place, files)
    if place.published is not None:
        _check_version(place, package)
    status = IN_REVIEW if review else DRAFT
    try:
        if place.kind == "published":
            steps.tell("beginning a new version")
            manager.edit(place.id, manifest_of(content, DRAFT, files), new_version=True)
            outcome = "new version"
        uploaded, kept = _synchronise(manager, place, content, files, steps)
        if review:
            steps.tell("submitting it for review")
            manager.edit(place.id, manifest_of(content, IN_REVIEW, files))
        _check_status(manager, place.id, status)
    except PublishError as error:
        error.hint = f"{error.hint} The draft of {place.id} stays until then; --abort removes it."
        raise
    steps.end("done")
    return ZooUpload(place.id, outcome, status, tuple(uploaded), kept, _PAGE.format(place.id), place.notes)


def abort_upload(manager: ArtifactManager, name: str, owner: Identity, *, given: str | None = None) -> ZooUpload:
    """Remove the draft of a model from the zoo, with its files. A published version stays as it is.

    Args:
        manager: of the zoo's server.
        name: of the model.
        owner: of the token.
        given: id of the model; without it, it is looked for by its name.

    Raises:
        PublishError: there is no draft, or it is in review.
    """
    place = find_place(manager, name, owner, given)
    if place.kind == "in review":
        raise PublishError(
            f"{place.id} is in review, and reviewers may be at work on it.",
            hint=f"Withdraw it on its page, {_PAGE.format(place.id)}.",
        )
    if place.kind != "draft":
        raise PublishError(
            f"The zoo has no draft of {plain(name, 100)} of yours: there is nothing to abort.",
            hint="If it has one under another name, say which, as in --id affable-shark.",
        )
    if place.published is not None:
        manager.discard(place.id)
    else:
        manager.delete(place.id)
    return ZooUpload(place.id, "removed", notes=place.notes)


def _create(
    package: PublishedPackage,
    manager: ArtifactManager,
    owner: Identity,
    collection: Mapping[str, Any],
    place: Place,
) -> tuple[Place, bool]:
    """Create a draft; where the answer is lost, look whether it was created all the same."""
    content = {key: value for key, value in package.content.items() if key != "id"}
    if owner.email:
        content["uploader"] = {"email": owner.email}
    manifest, permissions = manifest_of(content, DRAFT), permissions_for(package, collection)
    try:
        created = manager.create(manifest, permissions)
    except NoAnswerError as error:
        found = find_place(manager, package.name, owner, None)
        if found.kind == "draft":
            return found, True
        if error.pending or not (owner.ids or owner.email):
            raise  # another try could make a second one
        created = manager.create(manifest, permissions)
    manifest = created.get("manifest") or {}
    return Place("draft", created["id"], manifest if isinstance(manifest, dict) else {}, notes=place.notes), False


def _in_review(place: Place, files: Sequence[PackageFile]) -> ZooUpload:
    """Accept that the very same is in review already, and refuse to change it under the reviewers' eyes."""
    if (place.manifest or {}).get("file_sha256") == {file.name: file.sha256 for file in files}:
        return ZooUpload(place.id, "unchanged", IN_REVIEW, (), len(files), _PAGE.format(place.id), place.notes)
    raise PublishError(
        f"{place.id} is in review, with other files than these.",
        hint=f"Wait for the review, or withdraw it first on its page, {_PAGE.format(place.id)}.",
    )


def _check_version(place: Place, package: PublishedPackage) -> None:
    assert place.published is not None
    if place.published.get("version") == package.version:
        raise PublishError(
            f"Version {package.version} of {place.id} is published already.",
            hint="Raise the version in the card, and export again.",
        )


def _synchronise(
    manager: ArtifactManager,
    place: Place,
    content: Mapping[str, Any],
    files: Sequence[PackageFile],
    steps: Steps,
) -> tuple[list[str], int]:
    """Make a draft's files those of the package; return the names of those that were sent, and how many were kept."""
    known = (place.manifest or {}).get("file_sha256") if place.kind == "draft" else None
    known = known if isinstance(known, dict) else {}
    wanted = {file.name: file for file in files}
    there = manager.files(place.id)
    kept = set()
    for name, size in there.items():
        file = wanted.get(name)
        if file is not None and size == file.size and known.get(name) == file.sha256:
            kept.add(name)
        # What others put there, such as the reviewers' remarks, is not ours to remove.
        elif file is not None or (name in known and name not in RESERVED - {ZOO_FILE}):
            steps.tell(f"removing an earlier {name}")
            manager.remove_file(place.id, name)
    manager.edit(place.id, manifest_of(content, DRAFT, files))
    missing = [file for file in files if file.name not in kept]
    steps.expect(len(missing))
    for file in missing:
        steps.start(f"uploading {file.name} ({file.size / 1e6:.1f} MB)")
        manager.upload(place.id, file)
    there = manager.files(place.id)
    lost = [file.name for file in files if there.get(file.name) != file.size]
    if lost:
        raise PublishError(
            f"{len(lost)} files did not arrive whole in {place.id}, among them {plain(lost[0], 100)}.",
            hint="Run the same command again: it uploads them once more.",
        )
    return [file.name for file in missing], len(kept)


def _check_status(manager: ArtifactManager, artifact: str, status: str) -> None:
    """Look for oneself: the answer to an edit shows what was there before it."""
    manifest = manager.read(artifact, stage=True).get("manifest")
    found = manifest.get("status") if isinstance(manifest, dict) else None
    if found != status:
        raise PublishError(
            f"{artifact} is {plain(found, 40)!r} in the zoo, not {status!r}, though all its files are there.",
            hint="Run the same command again.",
        )
