"""The whole way into the zoo's own server, Hypha, with an emulator of S3 behind it: on this machine, and for real."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from instanseg_export import PublishError, publish
from instanseg_export.api.publish import PublishResult
from instanseg_export.publishing import package as package_module
from support.local_zoo import Hypha, NotInstalledError, hypha_python, running_hypha
from support.processes import environment

pytestmark = [pytest.mark.slow, pytest.mark.hypha, pytest.mark.timeout(3600)]

Publish = Callable[..., PublishResult]


@pytest.fixture(scope="session")
def hypha(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hypha]:
    try:
        python = hypha_python(pytestconfig.cache.mkdir("hypha"))
    except NotInstalledError as error:
        pytest.skip(str(error))
    with running_hypha(python, tmp_path_factory.mktemp("hypha")) as server:
        yield server


@pytest.fixture
def model(demo_package: Path, tmp_path: Path) -> Path:
    """The demo under a name of its own: all tests share one zoo."""
    folder = tmp_path / "model"
    shutil.copytree(demo_package, folder, ignore=shutil.ignore_patterns("parity", "*.zip", ".instanseg*"))
    set_in_description(folder, name=f"demo {uuid.uuid4().hex[:12]}")
    return folder


def set_in_description(folder: Path, **changes: str) -> None:
    content = yaml.safe_load((folder / "rdf.yaml").read_text(encoding="utf-8"))
    (folder / "rdf.yaml").write_text(yaml.safe_dump(content | changes, allow_unicode=True), encoding="utf-8")


@pytest.fixture
def as_user(hypha: Hypha, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Publish]:
    """Publish with a user's token. The zoo's test of the very same files ran when they were exported."""
    monkeypatch.setattr(package_module, "_test", lambda package, shown: None)

    def user(name: str) -> Publish:
        def run(path: Path, **options: object) -> PublishResult:
            monkeypatch.setenv("HYPHA_TOKEN", hypha.tokens[name])
            return publish(path, to="bioimageio", server=hypha.server, **options)  # type: ignore[arg-type]

        return run

    return user


def drafts(hypha: Hypha) -> set[str]:
    rows = hypha.ask("list", parent_id="bioimage-io/bioimage.io", stage=True, limit=500, silent=True)
    return {row["id"] for row in rows}


def hashes(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def test_create_upload_review_new_version_and_abort(
    hypha: Hypha, model: Path, as_user: Callable[[str], Publish]
) -> None:
    alice = as_user("alice")
    first = alice(model, draft=True)
    assert (first.outcome, first.status) == ("created", "draft")
    draft = hypha.ask("read", artifact_id=first.id, stage=True)
    assert draft["manifest"]["status"] == "draft"
    assert draft["created_by"] == "alice|1"
    # Reviewers, and who made the collection; not the collection's own rules for everybody.
    expected = {"alice|1": "*", "reviewer|1": "rw+", "admin|1": "rw+", "root": "rw+"}
    assert draft["config"]["permissions"] == expected

    submitted = alice(model)
    assert (submitted.id, submitted.outcome, submitted.status) == (first.id, "resumed", "in-review")
    assert submitted.uploaded == ()
    staged = hypha.ask("read", artifact_id=first.id, stage=True)["manifest"]
    assert staged["status"] == "in-review"
    files = hypha.files(first.id, stage=True)
    assert hashes(files) == staged["file_sha256"]
    described = yaml.safe_load(files["bioimageio.yaml"])
    assert described == yaml.safe_load(files["rdf.yaml"])
    alias = first.id.partition("/")[2]
    assert (described["id"], described["uploader"]) == (alias, {"email": "alice@example.com"})
    assert (
        described["id_emoji"] == {"shark": "🦈", "otter": "🦦", "heron": "🐦", "lynx": "🐈"}[alias.rpartition("-")[2]]
    )
    own = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in model.iterdir()}
    own.pop("rdf.yaml")
    assert {name: digest for name, digest in hashes(files).items() if name in own} == own
    assert alice(model).outcome == "unchanged"
    with pytest.raises(PublishError, match="reviewers may be at work"):
        alice(model, abort=True)

    # What a reviewer does.
    hypha.ask("edit", artifact_id=first.id, manifest={**staged, "status": "published"}, stage=True)
    hypha.ask("commit", artifact_id=first.id)
    published = hypha.files(first.id)
    assert hashes(published) == hashes(files)
    with pytest.raises(PublishError, match="published already"):
        alice(model)
    with pytest.raises(PublishError, match="nothing to abort"):
        alice(model, abort=True)

    set_in_description(model, version="0.2.0")
    begun = alice(model, draft=True)
    assert (begun.id, begun.outcome, begun.kept) == (first.id, "new version", 0)
    assert alice(model, abort=True).outcome == "removed"
    assert first.id not in drafts(hypha)
    assert hashes(hypha.files(first.id)) == hashes(published), "what is published stays as it is"

    second = alice(model)
    assert (second.id, second.outcome, second.status) == (first.id, "new version", "in-review")
    hypha.ask("commit", artifact_id=first.id)
    now = hypha.ask("read", artifact_id=first.id)
    assert [one["version"] for one in now["versions"]] == ["v0", "v1"]
    assert yaml.safe_load(hypha.files(first.id)["rdf.yaml"])["version"] == "0.2.0"


def test_an_upload_that_is_killed_is_completed_or_removed(
    hypha: Hypha, model: Path, as_user: Callable[[str], Publish], tmp_path: Path
) -> None:
    """By the program of users, which runs the zoo's own test first, killed while it sends the weights."""
    command = [sys.executable, "-m", "instanseg_export", "publish", str(model), "--to", "bioimageio"]
    process = subprocess.Popen(
        [*command, "--server", hypha.server],
        cwd=tmp_path,
        env=environment(HYPHA_TOKEN=hypha.tokens["alice"]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    before = drafts(hypha)
    for line in process.stderr:
        if "uploading model.onnx" in line:
            break
    process.kill()
    rest = process.stderr.read()
    process.wait()
    process.stderr.close()
    (draft,) = drafts(hypha) - before
    assert "done" not in rest
    staged = hypha.ask("read", artifact_id=draft, stage=True)["manifest"]
    assert staged["status"] == "draft"
    there = hypha.files(draft, stage=True)
    assert "instanseg.pt" in there
    assert hashes(there).items() <= staged["file_sha256"].items(), "whatever is there is whole"

    alice = as_user("alice")
    done = alice(model, draft=True)
    assert (done.id, done.outcome) == (draft, "resumed")
    assert done.kept >= len(there)
    assert "instanseg.pt" not in done.uploaded
    assert alice(model, abort=True).outcome == "removed"
    assert draft not in drafts(hypha)


def test_users_do_not_meet(hypha: Hypha, model: Path, as_user: Callable[[str], Publish]) -> None:
    """Two models of one name by two people are two models."""
    first = as_user("alice")(model, draft=True)
    second = as_user("bob")(model, draft=True)
    assert first.id != second.id
    with pytest.raises(PublishError, match="403"):
        as_user("bob")(model, id=first.id)
    with pytest.raises(PublishError, match="404"):
        as_user("bob")(model, id="nobody-there")
    assert as_user("bob")(model, abort=True).id == second.id
    assert first.id in drafts(hypha)
    assert as_user("alice")(model, abort=True).id == first.id


def test_a_token_that_is_none(hypha: Hypha, model: Path, as_user: Callable[[str], Publish]) -> None:
    hypha.tokens["eve"] = hypha.tokens["alice"][:-4] + "AAAA"
    with pytest.raises(PublishError, match="401") as caught:
        as_user("eve")(model)
    assert os.environ["HYPHA_TOKEN"] not in caught.value.message + caught.value.hint
    assert "HYPHA_TOKEN" in caught.value.hint
