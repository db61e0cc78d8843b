"""The zoo's answers in a rehearsal: those of a server that has no draft of the model, and takes all that it gets."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import httpx

from ..package import PublishedPackage
from .manager import COLLECTION
from .manifest import DRAFT

__all__ = ["RehearsedZoo"]

_NEW = f"{COLLECTION.partition('/')[0]}/ADJECTIVE-ANIMAL"
_STORAGE = "https://storage.invalid/ADDRESS-SIGNED-BY-THE-ZOO/"


class RehearsedZoo:
    """Answers as the zoo does.

    Args:
        package: that is published.
        draft: whether a draft of it is there, which broke off.
        published: whether an earlier version of it is published.
    """

    def __init__(self, package: PublishedPackage, *, draft: bool = False, published: bool = False) -> None:
        self._files: dict[str, int] = {}
        self._staged = draft
        self._published = published
        self._manifest: dict[str, Any] = {"name": package.name, "status": DRAFT, "version": "an earlier one"}

    def __call__(self, request: httpx.Request, body: Any) -> Any:
        """Return the JSON of an answer."""
        if request.method == "PUT":
            self._files[unquote(str(request.url).removeprefix(_STORAGE))] = int(request.headers["content-length"])
            return None
        return getattr(self, f"_{request.url.path.rpartition('/')[2]}")(body)

    def _read(self, body: dict[str, Any]) -> dict[str, Any]:
        artifact = body["artifact_id"]
        if artifact == COLLECTION:
            return {"id": artifact, "config": {"permissions": {"EACH-REVIEWER": "rw+"}}}
        staging = [{"_intent": "new_version"}] if self._staged else None
        versions = [{"version": "v0"}] if self._published else []
        return {"id": artifact, "manifest": self._manifest, "staging": staging, "versions": versions}

    def _list(self, body: dict[str, Any]) -> list[Any]:
        return []

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        self._staged, self._manifest = True, body["manifest"]
        return {"id": _NEW, "manifest": self._manifest}

    def _edit(self, body: dict[str, Any]) -> dict[str, Any]:
        self._staged, self._manifest = True, body["manifest"]
        return self._read(body)

    def _put_file(self, body: dict[str, Any]) -> str:
        return f"{_STORAGE}{body['file_path']}"

    def _list_files(self, body: dict[str, Any]) -> list[Any]:
        return [{"name": name, "type": "file", "size": size} for name, size in self._files.items()]

    def _discard(self, body: dict[str, Any]) -> None:
        self._staged = False

    def _delete(self, body: dict[str, Any]) -> None:
        self._staged = False
