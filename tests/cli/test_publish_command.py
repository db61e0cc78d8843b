"""``publish`` as users call it: what it prints, what it refuses, and that the token is in none of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.fake_zoo import FakeZoo, serve, token_for

Done = subprocess.CompletedProcess
Command = Callable[..., Done[str]]
TOKEN = token_for("alice|1", "Alice@example.com")


@pytest.fixture
def zoo() -> Iterator[FakeZoo]:
    fake = FakeZoo()
    with serve(fake):
        yield fake
    assert fake.violations == []


def test_a_rehearsal_shows_every_request_and_no_token(command: Command, demo_package: Path) -> None:
    done = command("publish", demo_package, "--to", "bioimageio", "--dry-run", "--json", HYPHA_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["outcome"] == "not sent"
    verbs = [request["url"].rpartition("/")[2] for request in document["requests"] if request["method"] == "POST"]
    assert verbs[:5] == ["read", "list", "list", "list", "create"]
    assert verbs[-3:] == ["list_files", "edit", "read"]
    created = document["requests"][4]["body"]
    assert (created["stage"], created["overwrite"]) == (True, False)
    assert created["manifest"]["status"] == "draft"
    sent = [request for request in document["requests"] if request["method"] == "PUT"]
    assert len(sent) == verbs.count("put_file") == 16
    for request in document["requests"]:
        authorised = "artifact-manager" in request["url"]
        assert request["headers"].get("authorization") == ("Bearer ***" if authorised else None)
    assert TOKEN not in done.stdout + done.stderr
    assert "uploading" not in done.stderr


def test_an_upload_says_where_the_model_is_and_who_is_next(command: Command, zoo: FakeZoo, demo_package: Path) -> None:
    where = ("publish", demo_package, "--to", "bioimageio", "--server", zoo.address)
    done = command(*where, HYPHA_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    for words in ("Created bioimage-io/affable-shark, which is in-review", "16 files were sent", "Next: a reviewer"):
        assert words in done.stdout
    assert "running the model zoo's test" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    staged = zoo.artifacts["bioimage-io/affable-shark"].staged
    assert staged is not None
    assert staged["status"] == "in-review"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), ("not said where to publish", "--to bioimageio")),
        (("--to", "bioimage"), ("no destination", "Did you mean bioimageio?")),
        (("--to", "bioimageio"), ("HYPHA_TOKEN is not set", "--dry-run needs none")),
        (("--to", "bioimageio", "--dry-run", "--tag", "v1"), ("--tag means nothing", "--to github-release")),
        (("--to", "bioimageio", "--dry-run", "--server", "http://example.com"), ("plain text", "https://")),
        (("--to", "bioimageio", "--dry-run", "--id", "../x"), ("no id of a model", "affable-shark")),
        (("--to", "bioimageio", "--dry-run", "--draft", "--abort"), ("both", "--abort or --draft")),
        (("--to", "github-release"), ("No repository", "--repository OWNER/NAME")),
        (("--to", "github-release", "--repository", "a/b"), ("GITHUB_TOKEN is not set", "contents")),
        (("--to", "github-release", "--repository", "a/b", "--output", "x", "--draft"), ("no draft", "Leave out")),
        (("another", "--to", "bioimageio", "--dry-run"), ("2 packages are given", "one at a time")),
        (("--to", "folder", "--output", "p/site"), ("inside", "--output")),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_read(
    command: Command, refused: Callable[..., None], tmp_path: Path, words: tuple[str, ...], said: tuple[str, ...]
) -> None:
    (tmp_path / "p").mkdir()
    refused(command("publish", "p", *words), *said)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p"]


def test_what_is_no_package(command: Command, refused: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    for path in ("p", "gone"):
        refused(command("publish", path, "--to", "bioimageio", "--dry-run"), path)


def test_a_release_is_written_and_the_next_command_named(command: Command, demo_package: Path, tmp_path: Path) -> None:
    where = ("--to", "github-release", "--repository", "me/models", "--output", "release")
    done = command("publish", demo_package, *where)
    assert done.returncode == 0, done.stderr
    assert "Next: gh release create v0.1.0 release/* --repo me/models" in done.stdout
    names = {path.name for path in (tmp_path / "release").iterdir()} - {".instanseg-export.json"}
    assert names == {"nuclei_dsb2018-0.1.0.zip", "model-index.json", "SHA256SUMS"}
