"""The way of a package into a release on GitHub. It may break off anywhere: the draft stays, and is completed later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import PublishError
from ...progress import Steps
from ..answers import NoAnswerError
from ..package import PackageFile
from .releases import Releases

__all__ = ["ReleaseUpload", "abort_release", "upload_release"]

_TYPES = {".zip": "application/zip", ".json": "application/json"}


@dataclass(frozen=True)
class ReleaseUpload:
    """A release, and what was done to it.

    Attributes:
        tag: of the release.
        outcome: "created", "resumed", "unchanged" or "removed".
        public: whether everybody sees it; else it is a draft.
        uploaded: names of the files that were sent.
        kept: how many were there already, with the same bytes.
        url: of its page.
    """

    tag: str
    outcome: Literal["created", "resumed", "unchanged", "removed"]
    public: bool = False
    uploaded: tuple[str, ...] = ()
    kept: int = 0
    url: str = ""


def upload_release(
    releases: Releases,
    tag: str,
    files: Sequence[PackageFile],
    *,
    title: str,
    body: str,
    public: bool = True,
    steps: Steps | None = None,
) -> ReleaseUpload:
    """Put files into a release, and publish it when all of them are there.

    Args:
        releases: of the repository.
        tag: of the release; where the repository has none of that name, publishing makes it.
        files: of the release.
        title: of the release.
        body: its text, in Markdown.
        public: publish it; else it stays a draft.
        steps: count the files.

    Raises:
        PublishError: the tag has a release with other files, the server refuses or does not answer, or what arrived is
            not what was sent.
    """
    steps = steps or Steps()
    steps.start(f"looking for releases of {releases.repository}")
    release = releases.find(tag)
    outcome: Literal["created", "resumed"] = "created" if release is None else "resumed"
    if release is not None and not release.get("draft"):
        if not _missing(release, files):
            return ReleaseUpload(tag, "unchanged", True, (), len(files), str(release.get("html_url", "")))
        raise PublishError(
            f"{releases.repository} has a release {tag} already, with other files.",
            hint="Raise the version in the card and export again, or choose another --tag.",
        )
    if release is None:
        steps.tell("creating the draft")
        release = _create(releases, tag, title, body)
    try:
        release, missing = _complete(releases, release, files, steps)
        if public:
            steps.tell("publishing the release")
            release = releases.publish(release)
    except PublishError as error:
        error.hint = f"{error.hint} The draft of {tag} stays until then; --abort removes it."
        raise
    steps.end("done")
    sent = tuple(file.name for file in missing)
    kept = len(files) - len(missing)
    return ReleaseUpload(tag, outcome, public, sent, kept, str(release.get("html_url", "")))


def _create(releases: Releases, tag: str, title: str, body: str) -> dict[str, Any]:
    """Create a draft; where the answer is lost, look whether it was created all the same."""
    try:
        return releases.create(tag, title, body)
    except NoAnswerError as error:
        found = releases.find(tag)
        if found is not None and found.get("draft"):
            return found
        if error.pending:
            raise  # another try could make a second one
        return releases.create(tag, title, body)


def _complete(
    releases: Releases, release: Mapping[str, Any], files: Sequence[PackageFile], steps: Steps
) -> tuple[dict[str, Any], list[PackageFile]]:
    """Make a draft's files those that are given; return it as it is then, and the files that were sent."""
    missing = _missing(release, files)
    names = {file.name for file in missing}
    for asset in release.get("assets", ()):
        if asset.get("name") in names:
            releases.remove(asset)
    steps.expect(len(missing))
    for file in missing:
        steps.start(f"uploading {file.name} ({file.size / 1e6:.1f} MB)")
        releases.upload(release, file, _TYPES.get(file.path.suffix, "text/plain"))
    done = releases.read(release)
    lost = _missing(done, files, digests=False)
    if lost:
        raise PublishError(f"{lost[0].name} did not arrive whole.", hint="Run the same command again.")
    return done, missing


def abort_release(releases: Releases, tag: str) -> ReleaseUpload:
    """Delete the draft of a release.

    Raises:
        PublishError: there is none, or it is public.
    """
    release = releases.find(tag)
    if release is None or not release.get("draft"):
        raise PublishError(
            f"{releases.repository} has no draft of a release {tag}: there is nothing to abort.",
            hint="Releases that are public are not deleted here.",
        )
    releases.delete(release)
    return ReleaseUpload(tag, "removed")


def _missing(release: Mapping[str, Any], files: Sequence[PackageFile], *, digests: bool = True) -> list[PackageFile]:
    """Return the files that a release lacks, or has with other bytes.

    Args:
        release: as GitHub describes it.
        files: that it should have.
        digests: whether a file that GitHub states no hash of is taken for another; servers of one's own may state none.
    """
    assets = {asset.get("name"): asset for asset in release.get("assets", ())}

    def same(file: PackageFile) -> bool:
        asset = assets.get(file.name)
        if asset is None or asset.get("state") != "uploaded" or asset.get("size") != file.size:
            return False
        stated = asset.get("digest")
        return stated == f"sha256:{file.sha256}" if stated or digests else True

    return [file for file in files if not same(file)]
