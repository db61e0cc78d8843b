"""GitHub's answers in a rehearsal: those of a repository without a release of that tag."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

__all__ = ["RehearsedGitHub"]

_NUMBER = 0
"""Of the release, in addresses: GitHub chooses it."""


class RehearsedGitHub:
    """Answers as GitHub does.

    Args:
        repository: OWNER/NAME.
        tag: of the release.
        draft: whether a draft of it is there, which broke off.
    """

    def __init__(self, repository: str, tag: str, *, draft: bool = False) -> None:
        page = f"https://github.com/{repository}/releases/tag/{tag}"
        upload = f"https://uploads.github.com/repos/{repository}/releases/{_NUMBER}/assets{{?name,label}}"
        self._release: dict[str, Any] = {
            "id": _NUMBER,
            "tag_name": tag,
            "draft": True,
            "upload_url": upload,
            "html_url": page,
            "assets": [],
        }
        self._there = draft

    def __call__(self, request: httpx.Request, body: Any) -> Any:
        """Return the JSON of an answer."""
        parts = urlsplit(str(request.url))
        if request.method == "POST" and parts.path.endswith("/assets"):
            content = request.read()
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            name = parse_qs(parts.query)["name"][0]
            asset = {"id": len(self._release["assets"]), "name": name, "state": "uploaded"}
            self._release["assets"].append(asset | {"size": len(content), "digest": digest})
            return asset
        if request.method == "GET" and parts.path.endswith("/releases"):
            return [self._release] if self._there else []
        if request.method == "DELETE":
            return None
        return self._release
