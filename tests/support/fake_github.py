"""A strict stand-in for GitHub's releases, as https://docs.github.com/en/rest/releases describes them."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.fake_zoo import Fault

__all__ = ["TOKEN", "FakeGitHub"]

TOKEN = "github_pat_0123456789"
_SAFE = re.compile(r"[A-Za-z0-9._+-]+")


class FakeGitHub:
    """One repository, me/models; served by :func:`support.fake_zoo.serve`."""

    def __init__(self, *, digests: bool = True) -> None:
        self.address = ""
        self.releases: list[dict[str, Any]] = []
        self.contents: dict[int, bytes] = {}
        self.requests: list[str] = []
        self.violations: list[str] = []
        self.faults: Callable[[int, str], Fault | None] = lambda number, what: None
        self.lock = threading.Lock()
        self._digests = digests
        self._number = 0

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        """Return a status and JSON."""
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}
        if headers.get("x-github-api-version") != "2022-11-28" or "instanseg-export" not in headers["user-agent"]:
            self.violations.append(f"headers of {method} {path}")
        parts = urlsplit(path)
        place = parts.path.removeprefix("/repos/me/models/releases")
        if place == parts.path:
            return 404, {"message": "Not Found"}
        if method == "GET" and place == "":
            page = int(parse_qs(parts.query)["page"][0])
            return 200, self.releases[100 * (page - 1) : 100 * page]
        if method == "POST" and place == "":
            return self._create(json.loads(body))
        if method == "DELETE" and place.startswith("/assets/"):
            return self._remove(int(place.rpartition("/")[2]))
        release = next((one for one in self.releases if place.split("/")[1] == str(one["id"])), None)
        if release is None:
            return 404, {"message": "Not Found"}
        if method == "POST" and place.endswith("/assets"):
            return self._add(release, parse_qs(parts.query)["name"][0], headers, body)
        if method == "PATCH":
            release |= json.loads(body)
        elif method == "DELETE":
            if not release["draft"]:
                self.violations.append("a public release is deleted")
            self.releases.remove(release)
            return 204, None
        return 200, release

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _create(self, content: dict[str, Any]) -> tuple[int, Any]:
        if any(one["tag_name"] == content["tag_name"] and not one["draft"] for one in self.releases):
            return 422, {"message": "Validation Failed", "errors": [{"code": "already_exists", "field": "tag_name"}]}
        if not content["draft"]:
            self.violations.append("a release is public before its files are there")
        number = self._next()
        base = f"{self.address}/repos/me/models/releases/{number}"
        page = f"https://github.com/me/models/releases/tag/{content['tag_name']}"
        release = {
            **content,
            "id": number,
            "upload_url": f"{base}/assets{{?name,label}}",
            "html_url": page,
            "assets": [],
        }
        self.releases.append(release)
        return 201, release

    def _add(self, release: dict[str, Any], name: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        if not release["draft"] or not _SAFE.fullmatch(name) or "content-length" not in headers:
            self.violations.append(f"upload of {name}")
        if any(asset["name"] == name for asset in release["assets"]):
            return 422, {"message": "Validation Failed", "errors": [{"code": "already_exists"}]}
        asset = {"id": self._next(), "name": name, "state": "uploaded", "size": len(body), "digest": None}
        if self._digests:
            asset["digest"] = f"sha256:{hashlib.sha256(body).hexdigest()}"
        release["assets"].append(asset)
        self.contents[asset["id"]] = body  # type: ignore[index]
        return 201, asset

    def _remove(self, number: int) -> tuple[int, Any]:
        for release in self.releases:
            for asset in release["assets"]:
                if asset["id"] == number:
                    release["assets"].remove(asset)
                    return 204, None
        return 404, {"message": "Not Found"}
