"""The way into the zoo, against a strict server: the whole of it, and broken off at every step of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from instanseg_export.errors import PublishError
from instanseg_export.packaging.rdf_file import RDF_FILE
from instanseg_export.publishing import names
from instanseg_export.publishing.package import PublishedPackage
from instanseg_export.publishing.zoo import upload
from instanseg_export.publishing.zoo.identity import Identity, identity_of
from instanseg_export.publishing.zoo.manager import ArtifactManager
from instanseg_export.publishing.zoo.upload import ZooUpload, abort_upload, upload_to_zoo
from support.fake_zoo import BREAK, SILENCE, FakeZoo, Fault, token_for

OWNER = Identity(frozenset({"alice|1"}), "alice@example.com")
SHARK = "bioimage-io/affable-shark"
ManagerOf = Callable[..., ArtifactManager]


@pytest.fixture(autouse=True)
def checked_once(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The zoo's reader takes a second for the same package each time: see that it is asked, and spare the rest."""
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(upload, "check_rdf", lambda folder, content: asked.append(content))
    return asked


@pytest.fixture
def send(package: PublishedPackage, manager_of: ManagerOf, tmp_path: Path) -> Callable[..., ZooUpload]:
    def run(sent: PublishedPackage = package, /, *, owner: Identity = OWNER, **options: object) -> ZooUpload:
        tokens = {"alice|1": "Alice@example.com", "bob|1": None}
        (user,) = owner.ids or {"alice|1"}
        manager = manager_of(token_for(user, tokens[user]))
        return upload_to_zoo(sent, manager, owner, scratch=tmp_path, **options)  # type: ignore[arg-type]

    return run


def contents(package: PublishedPackage) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.path.read_bytes()).hexdigest() for file in package.files}


def stored(zoo: FakeZoo, artifact: str = SHARK) -> dict[str, str]:
    files = zoo.artifacts[artifact].files
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def check_whole(zoo: FakeZoo, package: PublishedPackage, artifact: str = SHARK) -> None:
    """All files are there with their bytes, described as the zoo does, and in review."""
    one = zoo.artifacts[artifact]
    assert one.staged is not None
    assert one.staged["status"] == "in-review"
    there = stored(zoo, artifact)
    described = {there.pop(name) for name in ("rdf.yaml", "bioimageio.yaml")}
    assert len(described) == 1
    assert there == contents(package)
    assert "status" not in yaml.safe_load(one.files["rdf.yaml"])


def test_the_whole_way(zoo: FakeZoo, package: PublishedPackage, send: Callable[..., ZooUpload]) -> None:
    done = send()
    assert (done.id, done.outcome, done.status, done.kept) == (SHARK, "created", "in-review", 0)
    assert len(done.uploaded) == len(package.files) + 2
    check_whole(zoo, package)
    one = zoo.artifacts[SHARK]
    assert one.staged is not None
    assert one.staged["id_emoji"] == "🦈"
    assert one.staged["uploader"] == {"email": "alice@example.com"}
    assert one.config["permissions"] == {"reviewer|1": "rw+", "admin|1": "rw+", "alice|1": "*"}
    original = yaml.safe_load((package.folder / RDF_FILE).read_text())
    described = yaml.safe_load(one.files["bioimageio.yaml"])
    added = {"id": "affable-shark", "id_emoji": "🦈", "uploader": {"email": "alice@example.com"}}
    assert described == original | added, "the zoo's id, and nothing else, is new"
    assert not any("commit" in what for what in zoo.requests)


def test_what_the_zoo_adds_is_checked_before_the_first_request(
    zoo: FakeZoo, send: Callable[..., ZooUpload], checked_once: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(review=False)
    assert [content["uploader"] for content in checked_once] == [{"email": "alice@example.com"}]
    zoo.requests.clear()

    def refuse(folder: Path, content: object) -> None:
        raise PublishError("no", hint="")

    monkeypatch.setattr(upload, "check_rdf", refuse)
    with pytest.raises(PublishError):
        send()
    assert zoo.requests == []


def test_a_draft_stays_one_until_it_is_submitted(
    zoo: FakeZoo, package: PublishedPackage, send: Callable[..., ZooUpload]
) -> None:
    assert send(review=False).status == "draft"
    staged = zoo.artifacts[SHARK].staged
    assert staged is not None
    assert staged["status"] == "draft"
    done = send()
    assert (done.outcome, done.uploaded, done.kept) == ("resumed", (), len(package.files) + 2)
    check_whole(zoo, package)


def test_what_is_in_review_is_left_alone(
    zoo: FakeZoo, package: PublishedPackage, send: Callable[..., ZooUpload]
) -> None:
    send()
    before = stored(zoo)
    assert send().outcome == "unchanged"
    with pytest.raises(PublishError, match="in review, with other files"):
        send(replace(package, files=package.files[1:]))
    assert stored(zoo) == before


@pytest.fixture
def raised(package: PublishedPackage, tmp_path: Path) -> PublishedPackage:
    """The same model a version later, with one file changed, one new and one gone."""
    folder = tmp_path / "later"
    folder.mkdir()
    changed = next(file for file in package.files if file.name.endswith("README.md"))
    (folder / changed.name).write_bytes(changed.path.read_bytes()[::-1])  # as long as before
    (folder / "new.txt").write_text("new")
    files = [file for file in package.files if not file.name.endswith((".ijm", "README.md"))]
    for name in (changed.name, "new.txt"):
        content = (folder / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        files.append(replace(changed, name=name, path=folder / name, size=len(content), sha256=digest))
    return PublishedPackage(package.folder, {**package.content, "version": "0.2.0"}, tuple(files))


def test_a_published_model_becomes_a_new_version(
    zoo: FakeZoo, package: PublishedPackage, raised: PublishedPackage, send: Callable[..., ZooUpload]
) -> None:
    send()
    zoo.publish(SHARK)
    first = dict(zoo.artifacts[SHARK].versions[0])
    with pytest.raises(PublishError, match=r"Version 0\.1\.0 of bioimage-io/affable-shark is published already"):
        send()
    assert zoo.artifacts[SHARK].staged is None
    done = send(raised)
    assert (done.id, done.outcome, done.kept) == (SHARK, "new version", 0)
    check_whole(zoo, raised)
    assert zoo.artifacts[SHARK].versions == [first], "what is published stays as it is"
    assert list(zoo.artifacts) == [SHARK]


def test_a_draft_gets_the_files_of_a_later_export(
    zoo: FakeZoo, package: PublishedPackage, raised: PublishedPackage, send: Callable[..., ZooUpload]
) -> None:
    """Also one of the same size with other bytes; and the reviewers' remarks are not touched."""
    send(review=False)
    zoo.artifacts[SHARK].files["comments.json"] = b"[]"
    staged = zoo.artifacts[SHARK].staged
    assert staged is not None
    staged["status"] = "in-revision"
    done = send(raised)
    assert done.outcome == "resumed"
    readme = next(file.name for file in package.files if file.name.endswith("README.md"))
    assert sorted(done.uploaded) == sorted(["bioimageio.yaml", "rdf.yaml", "new.txt", readme])
    assert zoo.artifacts[SHARK].files.pop("comments.json") == b"[]"
    check_whole(zoo, raised)


@pytest.fixture
def small(package: PublishedPackage) -> PublishedPackage:
    """The package without its large files, to be sent some hundred times."""
    return replace(
        package, files=tuple(file for file in package.files if file.size < 200_000 and "labels" in file.name)
    )


def requests_of(zoo: FakeZoo, small: PublishedPackage, send: Callable[..., ZooUpload]) -> list[str]:
    send(small)
    asked = list(zoo.requests)
    zoo.artifacts.clear()
    zoo.requests.clear()
    return asked


@pytest.mark.parametrize(
    "fault",
    [
        Fault(BREAK),
        pytest.param(Fault(SILENCE), marks=pytest.mark.slow),
        pytest.param(Fault(413), marks=pytest.mark.slow),
    ],
    ids=lambda fault: str(fault.answer),
)
def test_an_upload_that_breaks_off_anywhere_is_completed_by_the_next(
    zoo: FakeZoo, small: PublishedPackage, send: Callable[..., ZooUpload], fault: Fault
) -> None:
    """Whatever request it is from which on nothing goes through: there is one draft, and in the end it is whole."""
    names = iter(f"affable-{number}" for number in range(1000))
    zoo._names = names
    count = len(requests_of(zoo, small, send))
    assert count > 15
    for last in range(count):
        zoo.requests.clear()
        zoo.artifacts.clear()
        zoo.faults = lambda number, what, last=last: fault if number >= last else None  # type: ignore[misc]
        with pytest.raises(PublishError) as caught:
            send(small)
        assert caught.value.hint
        for one in zoo.artifacts.values():
            assert one.staged is not None
            assert one.staged["status"] == "draft" or last >= count - 2, "half an upload is in review"
        zoo.faults = lambda number, what: None
        done = send(small)
        assert len(zoo.artifacts) == 1, f"request {last}"
        check_whole(zoo, small, done.id)


@pytest.mark.parametrize("kind", [BREAK, SILENCE, 429, 502, 503])
def test_a_fault_that_passes_is_not_noticed(
    zoo: FakeZoo, small: PublishedPackage, send: Callable[..., ZooUpload], kind: int | str
) -> None:
    """Every request fails once: also that by which a draft is made, which is not just sent again."""
    failed: set[int] = set()
    created: set[str] = set()

    def fault(number: int, what: str) -> Fault | None:
        creates = what.endswith(("/create", "POST /repos/me/models/releases"))
        if number - 1 in failed or (creates and what in created):
            return None
        failed.add(number)
        created.update([what] if creates else [])
        return Fault(kind)

    zoo.faults = fault
    done = send(small)
    assert list(zoo.artifacts) == [done.id]
    check_whole(zoo, small, done.id)


def test_a_draft_that_may_still_be_made_is_not_made_twice(
    zoo: FakeZoo, small: PublishedPackage, send: Callable[..., ZooUpload]
) -> None:
    """A gateway gives up, and the server behind it perhaps not."""
    zoo.faults = lambda number, what: Fault(504) if what.endswith("/create") else None
    with pytest.raises(PublishError, match="504") as caught:
        send(small)
    assert "again" in caught.value.hint
    assert sum(what.endswith("/create") for what in zoo.requests) == 1
    zoo.faults = lambda number, what: None
    assert send(small).outcome == "created"


def test_abort_removes_a_draft_with_its_files(
    zoo: FakeZoo, package: PublishedPackage, send: Callable[..., ZooUpload], manager_of: ManagerOf
) -> None:
    zoo.faults = lambda number, what: Fault(413) if number == 20 else None
    with pytest.raises(PublishError, match="too large") as caught:
        send()
    assert "--abort removes it" in caught.value.hint
    zoo.faults = lambda number, what: None
    assert abort_upload(manager_of(), package.name, OWNER).outcome == "removed"
    assert zoo.artifacts == {}
    with pytest.raises(PublishError, match="nothing to abort"):
        abort_upload(manager_of(), package.name, OWNER)


def test_abort_leaves_what_is_published(
    zoo: FakeZoo,
    package: PublishedPackage,
    raised: PublishedPackage,
    send: Callable[..., ZooUpload],
    manager_of: ManagerOf,
) -> None:
    send()
    zoo.publish(SHARK)
    before = dict(zoo.artifacts[SHARK].versions[0])
    send(raised, review=False)
    abort_upload(manager_of(), package.name, OWNER)
    assert zoo.artifacts[SHARK].staged is None
    assert zoo.artifacts[SHARK].versions == [before]
    with pytest.raises(PublishError, match="nothing to abort"):
        abort_upload(manager_of(), package.name, OWNER)


def test_abort_leaves_a_review_alone(
    zoo: FakeZoo, package: PublishedPackage, send: Callable[..., ZooUpload], manager_of: ManagerOf
) -> None:
    send()
    with pytest.raises(PublishError, match="reviewers may be at work"):
        abort_upload(manager_of(), package.name, OWNER)
    check_whole(zoo, package)


def test_models_of_others_are_never_touched(
    zoo: FakeZoo, package: PublishedPackage, send: Callable[..., ZooUpload]
) -> None:
    """Of the same name, as a draft and published; and by their id they are refused."""
    bob = Identity(frozenset({"bob|1"}))
    send(owner=bob)
    zoo.publish(SHARK)
    before = stored(zoo)
    assert send(owner=OWNER).id == "bioimage-io/affable-otter"
    with pytest.raises(PublishError, match="403"):
        send(replace(package, content={**package.content, "version": "3.0.0"}), given="affable-shark")
    assert stored(zoo) == before
    assert zoo.artifacts[SHARK].staged is None


def test_several_of_a_name_ask_for_an_id(
    zoo: FakeZoo, package: PublishedPackage, send: Callable[..., ZooUpload]
) -> None:
    send(review=False)
    unknown = Identity()
    assert send(owner=unknown, review=False).notes, "a token that says nothing finds nothing"
    with pytest.raises(PublishError, match="2 models of yours") as caught:
        send()
    assert "--id" in caught.value.hint
    assert send(given="affable-otter").id == "bioimage-io/affable-otter"
    for wrong in ("../evil", "a b", "", "other/affable-shark", "affable-shark?x"):
        with pytest.raises(PublishError, match="no id"):
            send(given=wrong)
    with pytest.raises(PublishError, match="404"):
        send(given="nobody-there")


def test_an_edit_in_place_of_what_is_published_is_not_mixed_with(
    zoo: FakeZoo, raised: PublishedPackage, send: Callable[..., ZooUpload]
) -> None:
    send()
    zoo.publish(SHARK)
    one = zoo.artifacts[SHARK]
    one.staged, one.intent = dict(one.manifest), "edit_version"
    with pytest.raises(PublishError, match="edits the published version"):
        send(raised)
    assert one.files == {}


def test_what_arrives_otherwise_than_it_was_sent_does_not_go_into_review(
    zoo: FakeZoo, send: Callable[..., ZooUpload], monkeypatch: pytest.MonkeyPatch
) -> None:
    put = zoo._put
    monkeypatch.setattr(
        zoo, "_put", lambda path, headers, body: put(path, headers, body[:-1] if "cover" in path else body)
    )
    with pytest.raises(PublishError, match="did not arrive whole"):
        send()
    staged = zoo.artifacts[SHARK].staged
    assert staged is not None
    assert staged["status"] == "draft"


def test_a_file_that_changes_meanwhile_is_not_sent(
    zoo: FakeZoo, package: PublishedPackage, send: Callable[..., ZooUpload], tmp_path: Path
) -> None:
    """Neither with other bytes, nor longer, nor shorter."""
    cover = next(file for file in package.files if file.name == "cover.png")
    others = tuple(file for file in package.files if file != cover)
    content = cover.path.read_bytes()
    for number, changed in enumerate((content[::-1], content + b"x", content[:-1], b"")):
        path = tmp_path / f"{number}.png"
        path.write_bytes(changed)
        with pytest.raises(PublishError, match="changed after it was checked"):
            send(replace(package, files=(replace(cover, path=path), *others)))
        assert "cover.png" not in stored(zoo)


def test_tokens_say_whose_they_are() -> None:
    child = token_for("token-7", "Ann@Example.com", **{"https://amun.ai/parent": "github|7"})
    assert identity_of(child) == Identity(frozenset({"token-7", "github|7"}), "ann@example.com")
    for opaque in ("", "abc", "a.b.c", "a.W10.c", "a.eyJhIjo.c", "....", "a.e30.c"):
        assert identity_of(opaque) == Identity()
    with pytest.raises(PublishError, match="expired"):
        identity_of(token_for("a", None, exp=1_000_000_000))
    assert not Identity().owns({"created_by": None, "manifest": {"uploader": {"email": ""}}})
    assert {"comments.json"} <= names.RESERVED
