"""Put a package where other people find it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Unpack

from ..errors import PackageError, RuntimeUnavailableError, SettingError, UnknownNameError
from ..files import scratch_folder, staged_folder
from ..progress import Progress, Steps
from ..publishing.answers import Service
from ..publishing.client import Client
from ..publishing.github.rehearsal import RehearsedGitHub
from ..publishing.github.releases import Releases, check_repository, check_tag
from ..publishing.github.upload import abort_release, upload_release
from ..publishing.package import PackageFile, PublishedPackage, checked_package
from ..publishing.rehearsal import Answer, PlannedRequest, Rehearsal
from ..publishing.release_files import qupath_entry, write_archive, write_checksums, write_index
from ..publishing.site.build import BrowserPage, add_model, finish_site
from ..publishing.token import check_address, check_site_address, token_of
from ..publishing.zoo.identity import identity_of
from ..publishing.zoo.manager import ArtifactManager, full_id
from ..publishing.zoo.rehearsal import RehearsedZoo
from ..publishing.zoo.upload import abort_upload, upload_to_zoo
from ..registry import closest
from ..untrusted.markdown import escape
from .options import PublishKeywords, PublishOptions

__all__ = ["DESTINATIONS", "PublishResult", "publish"]

DESTINATIONS = ("bioimageio", "github-release", "folder")
_ZOO = "https://hypha.aicell.io"
_GITHUB = "https://api.github.com"

_ONLY_FOR = {
    "id": ("bioimageio",),
    "server": ("bioimageio",),
    "repository": ("github-release",),
    "tag": ("github-release",),
    "url": ("folder",),
    "title": ("folder",),
    "output": ("github-release", "folder"),
    "overwrite": ("github-release", "folder"),
    "dry_run": ("bioimageio", "github-release"),
    "abort": ("bioimageio", "github-release"),
    "draft": ("bioimageio", "github-release"),
}


@dataclass(frozen=True)
class PublishResult:
    """What was published.

    Attributes:
        to: "bioimageio", "github-release" or "folder".
        outcome: "created", "new version", "resumed", "unchanged", "removed", "written", or "not sent" in a dry run.
        id: of the model in the zoo, or the tag of the release; empty for a folder.
        status: of a draft in the zoo ("in-review" or "draft"), or of a release ("public" or "draft").
        url: of its page; empty where there is none.
        uploaded: names of the files that were sent.
        kept: how many files were there already, with the same bytes.
        written: the folder that was written; None where none was.
        requests: in a dry run, what would be sent, in its order.
        notes: what the user should know.
    """

    to: str
    outcome: str
    id: str = ""
    status: str = ""
    url: str = ""
    uploaded: tuple[str, ...] = ()
    kept: int = 0
    written: Path | None = None
    requests: tuple[PlannedRequest, ...] = ()
    notes: tuple[str, ...] = ()


def publish(
    packages: str | Path | Sequence[str | Path],
    options: PublishOptions | None = None,
    *,
    progress: Progress | None = None,
    **keywords: Unpack[PublishKeywords],
) -> PublishResult:
    """Publish a package in the BioImage Model Zoo or on GitHub, or one or more as a static site.

    A package first passes the zoo's own checks on this machine; nothing is sent before. Only the files that its
    rdf.yaml names are published. Tokens come from the environment (HYPHA_TOKEN, GITHUB_TOKEN) and appear nowhere. An
    upload that breaks off leaves a draft, which the same call completes.

    Args:
        packages: folder or zip of a package; for a site also several.
        options: where to, and how.
        progress: told what is done.
        **keywords: fields of :class:`.PublishOptions`; they win over those of ``options``.

    Raises:
        PackageError: a package is missing, incomplete or damaged.
        PublishError: a package is not fit to be published, there is no token, or a server refuses or does not answer.
        UntrustedFileError: this package did not write a file that would be run, and it is not trusted.
        UnknownNameError: there is no such destination.
        SettingError: an option does not fit the destination.
        OutputError: the output exists or cannot be written.
    """
    options = replace(options or PublishOptions(), **keywords)
    paths = [Path(one) for one in ([packages] if isinstance(packages, str | Path) else packages)]
    to = _destination(options, paths)
    steps = Steps(progress)
    if to == "folder":
        return _to_folder(paths, options, steps)
    steps.expect(2 if options.abort or options.dry_run else 3)
    with checked_package(paths[0], trust=options.trust, test=not options.abort, steps=steps) as package:
        # In a rehearsal nothing is uploaded, whatever the steps would say.
        further = Steps() if options.dry_run else steps
        if to == "bioimageio":
            return _to_zoo(package, options, further)
        return _to_release(package, options, further, paths)


def _destination(options: PublishOptions, paths: Sequence[Path]) -> str:
    """Return where to publish, after a look at all that can be known to be wrong before anything is read."""
    if options.to not in DESTINATIONS:
        guess = closest(options.to, DESTINATIONS) if options.to else None
        said = f"There is no destination {options.to!r}" if options.to else "It is not said where to publish"
        hint = f"Did you mean {guess}? " if guess else ""
        raise UnknownNameError(f"{said}.", hint=f"{hint}Give --to bioimageio, --to github-release or --to folder.")
    given = {one.name for one in fields(options) if getattr(options, one.name) != one.default}
    for name in sorted(given & _ONLY_FOR.keys()):
        if options.to not in _ONLY_FOR[name]:
            flag, places = f"--{name.replace('_', '-')}", " and ".join(f"--to {one}" for one in _ONLY_FOR[name])
            raise SettingError(f"{flag} means nothing with --to {options.to}.", hint=f"It is for {places}.")
    if not paths:
        raise SettingError("No package is given.", hint="Give the folder or zip that instanseg-export wrote.")
    if options.to != "folder" and len(paths) > 1:
        raise SettingError(f"{len(paths)} packages are given.", hint=f"--to {options.to} takes one at a time.")
    if options.to == "bioimageio":
        _zoo(options)
        if options.id is not None:
            full_id(options.id)
    if options.to == "github-release":
        check_repository(options.repository)
        if options.output is None:
            token_of(_github(), needed=not options.dry_run)
        elif options.abort or options.draft or options.dry_run:
            raise SettingError(
                "With --output nothing is sent, so there is no draft and nothing to rehearse.",
                hint="Leave out --output, or --abort, --draft and --dry-run.",
            )
    if options.url is not None:
        check_site_address(options.url)
    return options.to


def _zoo(options: PublishOptions) -> tuple[Service, str]:
    """Return the zoo's server and the token for it; an empty one in a dry run without."""
    server = check_address(options.server or _ZOO)
    service = Service("the model zoo", server, "HYPHA_TOKEN", "log in at https://bioimage.io/#/api and make one there")
    return service, token_of(service, needed=not options.dry_run)


def _github() -> Service:
    server = check_address(os.environ.get("GITHUB_API_URL", "").strip() or _GITHUB)
    where = "make one at https://github.com/settings/tokens that may write the repository's contents"
    return Service("GitHub", server, "GITHUB_TOKEN", where)


def _client(service: Service, token: str, rehearsal: Rehearsal | None, steps: Steps) -> Client:
    return Client(service, token or "NO-TOKEN", transport=rehearsal, say=steps.tell)


def _rehearsal(options: PublishOptions, answer: Answer) -> Rehearsal | None:
    return Rehearsal(answer) if options.dry_run else None


def _to_zoo(package: PublishedPackage, options: PublishOptions, steps: Steps) -> PublishResult:
    service, token = _zoo(options)
    owner = identity_of(token)
    answers = RehearsedZoo(package, draft=options.abort, published=options.id is not None and not options.abort)
    rehearsal = _rehearsal(options, answers)
    given = options.id or ("bioimage-io/ADJECTIVE-ANIMAL" if options.dry_run and options.abort else None)
    with scratch_folder() as scratch, _client(service, token, rehearsal, steps) as client:
        manager = ArtifactManager(client)
        if options.abort:
            done = abort_upload(manager, package.name, owner, given=given)
        else:
            review = not options.draft
            done = upload_to_zoo(package, manager, owner, scratch=scratch, given=given, review=review, steps=steps)
    if rehearsal is not None:
        return PublishResult("bioimageio", "not sent", requests=tuple(rehearsal.requests))
    return PublishResult(
        "bioimageio", done.outcome, done.id, done.status, done.url, done.uploaded, done.kept, notes=done.notes
    )


def _to_release(
    package: PublishedPackage, options: PublishOptions, steps: Steps, inputs: Sequence[Path]
) -> PublishResult:
    repository = check_repository(options.repository)
    tag = check_tag(options.tag or f"v{package.version}")
    service = _github()
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder())
        if options.output is not None:
            output = Path(options.output)
            kind = staged_folder(output, kind="release", overwrite=options.overwrite, inputs=inputs)
            _release_files(package, stack.enter_context(kind), scratch, repository, tag)
            return PublishResult("github-release", "written", tag, written=output)
        rehearsal = _rehearsal(options, RehearsedGitHub(repository, tag, draft=options.abort))
        token = token_of(service, needed=not options.dry_run)
        client = stack.enter_context(_client(service, token, rehearsal, steps))
        releases = Releases(client, repository)
        if options.abort:
            done = abort_release(releases, tag)
        else:
            files = _release_files(package, scratch, scratch, repository, tag)
            title, body = f"{package.name} {package.version}", _release_text(package, files[0])
            done = upload_release(releases, tag, files, title=title, body=body, public=not options.draft, steps=steps)
    if rehearsal is not None:
        return PublishResult("github-release", "not sent", requests=tuple(rehearsal.requests))
    status = "" if options.abort else "public" if done.public else "draft"
    return PublishResult("github-release", done.outcome, tag, status, done.url, done.uploaded, done.kept)


def _release_files(
    package: PublishedPackage, folder: Path, scratch: Path, repository: str, tag: str
) -> list[PackageFile]:
    """Write the archive, the entry of QuPath's list, and the checksums of both."""
    archive = write_archive(package, folder, scratch)
    url = f"https://github.com/{repository}/releases/download/{tag}/{archive.name}"
    index = write_index(folder, [qupath_entry(package, url)])
    return [archive, index, write_checksums(folder, [archive, index])]


def _release_text(package: PublishedPackage, archive: PackageFile) -> str:
    facts = f"Licence: {escape(package.license)}\n\n`{archive.name}` has the SHA-256 `{archive.sha256}`."
    return f"{escape(package.content['description'])}\n\n{facts}\n"


def _to_folder(paths: Sequence[Path], options: PublishOptions, steps: Steps) -> PublishResult:
    output, url = Path(options.output or "site"), None
    if options.url is not None:
        url = check_site_address(options.url)
    steps.expect(2 * len(paths) + 1)
    notes: list[str] = []
    page = _browser_page(notes, steps)
    with (
        staged_folder(output, kind="site", overwrite=options.overwrite, inputs=paths) as site,
        scratch_folder() as scratch,
    ):
        models = []
        for path in paths:
            with checked_package(path, trust=options.trust, steps=steps) as package:
                models.append(add_model(site, package, scratch, page))
        steps.tell("writing the index")
        finish_site(site, models, title=options.title, url=url)
    steps.end("done")
    return PublishResult("folder", "written", written=output, notes=tuple(notes))


def _browser_page(notes: list[str], steps: Steps) -> BrowserPage:
    """Return what writes the page that runs a model in the browser.

    Args:
        notes: get the reason where a model has no such page, as one of volumes.
        steps: told what is done; the first page of all is built, which takes a minute.
    """
    from .export_web import export_web

    def write(package: Path, folder: Path) -> None:
        try:
            export_web(package, output=folder, progress=lambda what, done, total: steps.tell(what))
        except (PackageError, RuntimeUnavailableError) as error:
            notes.append(f"No page that runs the model in the browser: {error.message} {error.hint}")

    return write
