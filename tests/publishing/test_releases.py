"""Releases on GitHub: what is written, and the way there, against a strict server."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from instanseg_export import PublishError, publish
from instanseg_export.exported_model import open_model
from instanseg_export.publishing.answers import Service
from instanseg_export.publishing.client import Client
from instanseg_export.publishing.github.releases import Releases, check_repository, check_tag
from instanseg_export.publishing.github.upload import ReleaseUpload, abort_release, upload_release
from instanseg_export.publishing.package import PackageFile, PublishedPackage
from instanseg_export.publishing.release_files import archive_name, file_at, qupath_entry, write_archive
from support.fake_github import TOKEN, FakeGitHub
from support.fake_zoo import BREAK, SILENCE, Fault, serve

Send = Callable[..., ReleaseUpload]


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    fake = FakeGitHub()
    with serve(fake):
        yield fake
    assert fake.violations == []


@pytest.fixture
def releases_of(github: FakeGitHub) -> Iterator[Callable[..., Releases]]:
    clients: list[Client] = []

    def releases(repository: str = "me/models") -> Releases:
        service = Service("GitHub", github.address, "GITHUB_TOKEN", "make one")
        clients.append(Client(service, TOKEN, sleep=lambda seconds: None, timeout=20))
        return Releases(clients[-1], repository)

    yield releases
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def files(tmp_path: Path) -> list[PackageFile]:
    for name, content in (("model-0.1.0.zip", b"zip" * 70_000), ("model-index.json", b"[]"), ("SHA256SUMS", b"sums")):
        (tmp_path / name).write_bytes(content)
    return [file_at(path) for path in sorted(tmp_path.iterdir())]


@pytest.fixture
def send(releases_of: Callable[..., Releases], files: list[PackageFile]) -> Send:
    def run(given: list[PackageFile] | None = None, **options: object) -> ReleaseUpload:
        chosen = files if given is None else given
        return upload_release(releases_of(), "v0.1.0", chosen, title="model", body="text", **options)  # type: ignore[arg-type]

    return run


def check_whole(github: FakeGitHub, files: list[PackageFile]) -> None:
    (release,) = github.releases
    assert release["draft"] is False
    there = {asset["name"]: hashlib.sha256(github.contents[asset["id"]]).hexdigest() for asset in release["assets"]}
    assert there == {file.name: file.sha256 for file in files}


def test_a_release_is_public_once_all_its_files_are_there(
    github: FakeGitHub, files: list[PackageFile], send: Send
) -> None:
    assert send(public=False).public is False
    assert github.releases[0]["draft"] is True
    done = send()
    assert (done.outcome, done.public, done.uploaded, done.kept) == ("resumed", True, (), 3)
    assert done.url == "https://github.com/me/models/releases/tag/v0.1.0"
    check_whole(github, files)
    assert send().outcome == "unchanged"


def test_a_public_release_is_not_changed(github: FakeGitHub, files: list[PackageFile], send: Send) -> None:
    send()
    with pytest.raises(PublishError, match="already, with other files") as caught:
        send([*files[:-1], replace(files[-1], sha256="0" * 64)])
    assert "--tag" in caught.value.hint
    check_whole(github, files)


@pytest.mark.parametrize("fault", [Fault(BREAK), Fault(SILENCE), Fault(403)], ids=lambda one: str(one.answer))
def test_a_release_that_breaks_off_anywhere_is_completed_by_the_next(
    github: FakeGitHub, files: list[PackageFile], send: Send, fault: Fault
) -> None:
    send()
    count = len(github.requests)
    assert count == 7
    for last in range(count):
        github.requests.clear()
        github.releases.clear()
        github.faults = lambda number, what, last=last: fault if number >= last else None  # type: ignore[misc]
        with pytest.raises(PublishError):
            send()
        github.faults = lambda number, what: None
        send()
        check_whole(github, files)


@pytest.mark.parametrize("kind", [BREAK, SILENCE, 429, 502])
def test_a_fault_that_passes_is_not_noticed(
    github: FakeGitHub, files: list[PackageFile], send: Send, kind: int | str
) -> None:
    failed: set[int] = set()
    created: set[str] = set()

    def fault(number: int, what: str) -> Fault | None:
        creates = what.endswith(("/create", "POST /repos/me/models/releases"))
        if number - 1 in failed or (creates and what in created):
            return None
        failed.add(number)
        created.update([what] if creates else [])
        return Fault(kind)

    github.faults = fault
    send()
    check_whole(github, files)


def test_a_draft_gets_files_that_changed_and_abort_removes_it(
    github: FakeGitHub, files: list[PackageFile], send: Send, releases_of: Callable[..., Releases], tmp_path: Path
) -> None:
    send(public=False)
    files[0].path.write_bytes(b"other")
    changed = [file_at(file.path) for file in files]
    assert send(changed, public=False).uploaded == (changed[0].name,)
    assert abort_release(releases_of(), "v0.1.0").outcome == "removed"
    assert github.releases == []
    with pytest.raises(PublishError, match="nothing to abort"):
        abort_release(releases_of(), "v0.1.0")
    send(changed)
    with pytest.raises(PublishError, match="nothing to abort"):
        abort_release(releases_of(), "v0.1.0")


def test_the_token_goes_to_github_alone(github: FakeGitHub, send: Send, files: list[PackageFile]) -> None:
    send(public=False)
    for elsewhere in ("https://example.com/assets", "http://10.0.0.1/assets", "ftp://127.0.0.1/assets"):
        github.releases[0]["upload_url"] = elsewhere
        github.releases[0]["assets"].clear()
        with pytest.raises(PublishError, match=r"not its own|plain text"):
            send()


def test_names_of_repositories_and_tags() -> None:
    assert check_repository("instanseg/instanseg") == "instanseg/instanseg"
    for wrong in (None, "", "models", "a/b/c", "a/..", "a/b?x", "../b", "a b/c", "-a/b"):
        with pytest.raises(PublishError):
            check_repository(wrong)
    assert check_tag("nuclei-v0.1.0+build.1")
    for wrong in ("", "-v1", "a..b", "a b", "v1/..", "v1.lock", "v1?", "v" * 200):
        with pytest.raises(PublishError):
            check_tag(wrong)


# What is written


@pytest.fixture(scope="module")
def written(package: PublishedPackage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "release"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("instanseg_export.publishing.package._test", lambda package, shown: None)  # as the export did it
        done = publish(package.folder, to="github-release", repository="me/models", output=folder)
    assert done.outcome == "written"
    return folder


def test_the_archive_is_the_package_and_nothing_beside_it(written: Path, package: PublishedPackage) -> None:
    """To the last byte it is the zip of the export; the report and what else lies in the folder is not in it."""
    (archive,) = written.glob("*.zip")
    assert archive.name == "nuclei_dsb2018-0.1.0.zip"
    assert archive.read_bytes() == (package.folder / "nuclei_dsb2018.zip").read_bytes()
    with open_model(archive) as model:
        assert model.changed == ()


def test_the_checksums_are_those_of_sha256sum(written: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"], cwd=written, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == 2


def test_the_entry_is_one_that_qupath_s_extension_reads(written: Path, package: PublishedPackage) -> None:
    """Its RemoteModel has these four texts; the archive's rdf.yaml names the folder that it unpacks to."""
    (entry,) = json.loads((written / "model-index.json").read_text())
    assert entry == {
        "name": "nuclei_dsb2018",
        "url": "https://github.com/me/models/releases/download/v0.1.0/nuclei_dsb2018-0.1.0.zip",
        "version": "0.1.0",
        "license": "Apache-2.0",
    }
    assert entry == qupath_entry(package, entry["url"])


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("A model (v2) + more", "0.1.0", "A-model-v2-more-0.1.0.zip"),
        ("()()()", "1.0.0+a b", "model-1.0.0-a-b.zip"),
        ("..hidden", "1", "hidden-1.zip"),
    ],
)
def test_names_of_archives_are_not_changed_by_servers(
    package: PublishedPackage, tmp_path: Path, name: str, version: str, expected: str
) -> None:
    renamed = replace(package, content={**package.content, "name": name, "version": version})
    assert archive_name(renamed) == expected


def test_subfolders_have_entries_of_their_own(package: PublishedPackage, tmp_path: Path) -> None:
    """QuPath does not make folders that the zip does not name."""
    deep = replace(package.files[0], name="model.mlpackage/Data/weights.bin")
    write_archive(replace(package, files=(deep,)), tmp_path, tmp_path)
    with zipfile.ZipFile(tmp_path / archive_name(package)) as content:
        assert [n for n in content.namelist() if n.endswith("/")] == ["model.mlpackage/", "model.mlpackage/Data/"]
