"""The few calls of GitHub's interface that a release takes (https://docs.github.com/en/rest/releases)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from ...errors import PublishError
from ...plain_text import plain
from ..answers import RefusedError
from ..client import Client
from ..package import PackageFile

__all__ = ["Releases", "check_repository", "check_tag"]

_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_PAGE = 100
_MOST_PAGES = 20
_UPLOADS = {"api.github.com": "uploads.github.com"}


def check_repository(name: str | None) -> str:
    """Return the name of a repository on GitHub.

    Raises:
        PublishError: it is none.
    """
    if name is None or not _REPOSITORY.fullmatch(name) or name.endswith((".", "..")):
        given = "No repository is given" if name is None else f"{plain(name, 100)!r} is no repository on GitHub"
        raise PublishError(f"{given}.", hint="Give --repository OWNER/NAME.")
    return name


def check_tag(tag: str) -> str:
    """Return the tag of a release.

    Raises:
        PublishError: it is none, or would have to be written differently in an address.
    """
    if not _TAG.fullmatch(tag) or ".." in tag or tag.endswith((".lock", ".")):
        raise PublishError(
            f"{plain(tag, 100)!r} is no tag for a release.", hint="Use letters, digits and . _ + -, as in --tag v0.1.0."
        )
    return tag


class Releases:
    """The releases of one repository.

    Args:
        client: of GitHub.
        repository: OWNER/NAME.
    """

    def __init__(self, client: Client, repository: str) -> None:
        self._client = client
        self._base = f"{client.service.server}/repos/{repository}/releases"
        self.repository = repository

    def find(self, tag: str) -> dict[str, Any] | None:
        """Return the release of a tag; drafts are seen by those who may write."""
        for page in range(1, _MOST_PAGES + 1):
            what = f"looking for releases of {self.repository}"
            found = self._client.ask(what, "GET", f"{self._base}?per_page={_PAGE}&page={page}", headers=_HEADERS)
            if not isinstance(found, list):
                raise _strange("list of releases")
            for release in found:
                if isinstance(release, dict) and release.get("tag_name") == tag:
                    return _release(release)
            if len(found) < _PAGE:
                break
        return None

    def create(self, tag: str, name: str, body: str) -> dict[str, Any]:
        """Create a draft.

        Raises:
            NoAnswerError: it may have been created or not.
        """
        content = {"tag_name": tag, "name": name, "body": body, "draft": True}
        made = self._client.ask(
            f"creating the release {tag}", "POST", self._base, body=content, headers=_HEADERS, repeatable=False
        )
        return _release(made)

    def read(self, release: Mapping[str, Any]) -> dict[str, Any]:
        """Return a release as it is now."""
        return _release(self._client.ask("reading the release", "GET", self._at(release), headers=_HEADERS))

    def upload(self, release: Mapping[str, Any], file: PackageFile, media_type: str) -> None:
        """Add a file to a release."""
        address = str(release["upload_url"]).partition("{")[0]
        own, other = urlsplit(self._client.service.server).hostname or "", urlsplit(address).hostname
        if other not in (own, _UPLOADS.get(own)):
            raise PublishError(
                f"GitHub wants files sent to {plain(other, 100)}, which is not its own.", hint="Nothing was sent there."
            )
        url = f"{address}?name={quote(file.name, safe='')}"
        headers = {**_HEADERS, "Content-Type": media_type}
        try:
            self._client.send_file(f"uploading {file.name}", "POST", url, file, headers=headers, authorised=True)
        except RefusedError as error:
            # An earlier try arrived, though its answer did not: whether it is whole is looked at afterwards.
            if error.status != 422 or "already_exists" not in error.detail:
                raise

    def remove(self, asset: Mapping[str, Any]) -> None:
        """Remove a file from a release."""
        self._gone(f"{self._base}/assets/{int(asset['id'])}", f"removing {plain(asset.get('name'), 100)}")

    def publish(self, release: Mapping[str, Any]) -> dict[str, Any]:
        """Make a draft public."""
        return _release(
            self._client.ask(
                "publishing the release", "PATCH", self._at(release), body={"draft": False}, headers=_HEADERS
            )
        )

    def delete(self, release: Mapping[str, Any]) -> None:
        """Delete a draft with its files."""
        self._gone(self._at(release), "deleting the draft")

    def _gone(self, url: str, what: str) -> None:
        try:
            self._client.ask(what, "DELETE", url, headers=_HEADERS)
        except RefusedError as error:
            if error.status != 404:
                raise

    def _at(self, release: Mapping[str, Any]) -> str:
        return f"{self._base}/{release['id']}"


def _release(answer: Any) -> dict[str, Any]:
    known = isinstance(answer, dict) and isinstance(answer.get("id"), int) and isinstance(answer.get("upload_url"), str)
    assets = answer.get("assets", []) if known else None
    if not isinstance(assets, list) or not all(
        isinstance(one, dict) and isinstance(one.get("id"), int) for one in assets
    ):
        raise _strange("description of a release")
    return dict(answer)


def _strange(what: str) -> PublishError:
    return PublishError(f"GitHub answers with no {what}.", hint="Check GITHUB_API_URL, if it is set.")
