"""Where a package goes in the zoo: into a new draft, into one that broke off, or into a new version of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import PublishError
from ...plain_text import plain
from .identity import Identity
from .manager import ArtifactManager, full_id
from .manifest import DRAFT, IN_REVIEW, IN_REVISION

__all__ = ["Place", "find_place"]


@dataclass(frozen=True)
class Place:
    """What is in the zoo already.

    Attributes:
        kind: "nothing"; a "draft" that is not in review; "in review"; or "published", with nothing waiting.
        id: of the artifact; empty where there is nothing.
        manifest: of the draft, or of what is published.
        published: the manifest of what is published; None where nothing is.
        notes: what the user should know.
    """

    kind: Literal["nothing", "draft", "in review", "published"]
    id: str = ""
    manifest: Mapping[str, Any] | None = None
    published: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


def find_place(manager: ArtifactManager, name: str, owner: Identity, given: str | None) -> Place:
    """Return the model that a package is the next version of.

    Args:
        manager: of the zoo.
        name: of the model, by which it is looked for among those of the token's owner.
        owner: of the token.
        given: its id, where the user says it.

    Raises:
        PublishError: there is no model of that id, several have the name, or somebody edits it in place.
    """
    if given is not None:
        return _place(manager, full_id(given))
    drafts = [one for one in manager.models(stage=True) if _named(one, name)]
    mine = {str(one["id"]): one for one in drafts if owner.owns(one)}
    for published in _published(manager, owner):
        if _named(published, name):
            mine.setdefault(str(published["id"]), published)
    if len(mine) > 1:
        raise PublishError(
            f"The zoo has {len(mine)} models of yours that are called {plain(name, 100)}: {', '.join(sorted(mine))}.",
            hint="Say which one it is, as in --id affable-shark.",
        )
    if mine:
        return _place(manager, next(iter(mine)))
    notes = []
    if not owner.ids and not owner.email:
        notes.append("The token does not say whose it is, so earlier uploads of yours were not found; --id names one.")
    return Place("nothing", notes=tuple(notes))


def _named(artifact: Mapping[str, Any], name: str) -> bool:
    manifest = artifact.get("manifest")
    return isinstance(artifact.get("id"), str) and isinstance(manifest, dict) and manifest.get("name") == name


def _published(manager: ArtifactManager, owner: Identity) -> list[dict[str, Any]]:
    """Return the published models of a user. The server finds them by who created them, or by a word in them."""
    found: list[dict[str, Any]] = []
    for user in sorted(owner.ids):
        found += manager.models(filters={"created_by": user})
    if owner.email:
        found += manager.models(keywords=[owner.email])
    return [one for one in found if owner.owns(one)]


def _place(manager: ArtifactManager, artifact: str) -> Place:
    # Asked for what is staged, the server gives what is published where nothing is, and says so by "staging".
    found = manager.read(artifact, stage=True)
    manifest = _manifest(found)
    if found.get("staging") is None:
        if not found.get("versions"):
            raise PublishError(f"{artifact} is neither a draft nor published.", hint="Ask the zoo's maintainers.")
        return Place("published", artifact, manifest, manifest)
    published = _manifest(manager.read(artifact)) if found.get("versions") else None
    if published is not None and not _is_new_version(found):
        raise PublishError(
            f"Somebody edits the published version of {artifact} itself.",
            hint="Finish or discard that at https://bioimage.io first: uploading now would mix both.",
        )
    status = manifest.get("status")
    if status == IN_REVIEW:
        return Place("in review", artifact, manifest, published)
    if status not in (DRAFT, IN_REVISION):
        raise PublishError(
            f"The draft of {artifact} is in the state {plain(status, 40)!r}, which this program does not know.",
            hint="Look at it at https://bioimage.io.",
        )
    return Place("draft", artifact, manifest, published)


def _manifest(artifact: Mapping[str, Any]) -> Mapping[str, Any]:
    manifest = artifact.get("manifest")
    return manifest if isinstance(manifest, dict) else {}


def _is_new_version(artifact: Mapping[str, Any]) -> bool:
    staging = artifact.get("staging")
    rows = staging if isinstance(staging, list) else [staging]
    return any(isinstance(row, dict) and row.get("_intent") == "new_version" for row in rows)
