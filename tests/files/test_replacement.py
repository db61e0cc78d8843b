"""Only what this tool wrote is replaced, whatever lies at the output's place and whatever the inputs are."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from instanseg_export.errors import OutputError
from instanseg_export.files import (
    MARKER,
    forget_written,
    scratch_folder,
    staged_file,
    staged_files,
    staged_folder,
    staged_part,
    written_paths,
)

Make = Callable[[Path], None]


def snapshot(folder: Path) -> dict[str, str]:
    """Everything below a folder: hashes of files, targets of links, kinds of the rest."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            content = f"-> {path.readlink()}"
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            content = "folder" if path.is_dir() else "special"
        found[path.relative_to(folder).as_posix()] = content
    return found


def write(path: Path, *, overwrite: bool = True, kind: str = "package", inputs: tuple[Path, ...] = ()) -> None:
    with staged_folder(path, kind=kind, overwrite=overwrite, inputs=inputs) as folder:
        (folder / "model.pt").write_text("new")
        (folder / "parity").mkdir()
        (folder / "parity/report.json").write_text("{}")


def nothing(path: Path) -> None:
    pass


def empty_folder(path: Path) -> None:
    path.mkdir()


def documents(path: Path) -> None:
    path.mkdir()
    (path / "thesis.txt").write_text("precious")


def package_of_an_earlier_version(path: Path) -> None:
    path.mkdir()
    (path / "rdf.yaml").write_text("name: model")
    (path / "instanseg.pt").write_text("weights")


def ours(path: Path) -> None:
    write(path)


def ours_without_a_file(path: Path) -> None:
    write(path)
    (path / "model.pt").unlink()


def ours_of_another_kind(path: Path) -> None:
    write(path, kind="report")


def ours_with(change: Make) -> Make:
    def make(path: Path) -> None:
        write(path)
        change(path)

    make.__name__ = change.__name__
    return make


def a_note(path: Path) -> None:
    (path / "notes.txt").write_text("mine")


def a_hidden_note(path: Path) -> None:
    (path / ".notes").write_text("mine")


def a_note_deep_inside(path: Path) -> None:
    (path / "parity/notes.txt").write_text("mine")


def an_empty_folder_inside(path: Path) -> None:
    (path / "more").mkdir()


def a_link_inside(path: Path) -> None:
    (path / "link").symlink_to("../elsewhere")


def a_file_turned_into_a_link(path: Path) -> None:
    (path / "model.pt").rename(path.with_name("weights"))
    (path / "model.pt").symlink_to("../weights")


def a_folder_turned_into_a_link(path: Path) -> None:
    (path / "parity").rename(path.with_name("reports"))
    (path / "parity").symlink_to("../reports")


def a_file_turned_into_a_folder(path: Path) -> None:
    (path / "model.pt").unlink()
    (path / "model.pt").mkdir()


def a_changed_file(path: Path) -> None:
    (path / "model.pt").write_text("NEW")  # of the same size


def a_longer_file(path: Path) -> None:
    with (path / "model.pt").open("a") as stream:
        stream.write("more")


def a_pipe_inside(path: Path) -> None:
    os.mkfifo(path / "pipe")


def a_list_that_is_a_link(path: Path) -> None:
    (path / MARKER).rename(path.with_name("list"))
    (path / MARKER).symlink_to("../list")


def a_list_for_everything(path: Path) -> None:
    content = json.loads((path / MARKER).read_text())
    content["files"]["../documents/thesis.txt"] = {"size": 8, "sha256": "0" * 64}
    content["files"]["notes.txt"] = {"size": 4, "sha256": "0" * 64}
    (path / MARKER).write_text(json.dumps(content))
    (path / "notes.txt").write_text("mine")


def no_list(path: Path) -> None:
    (path / MARKER).unlink()


def a_damaged_list(path: Path) -> None:
    (path / MARKER).write_bytes(b'{"format": ' + b"[" * 100_000)


def a_list_of_another_version(path: Path) -> None:
    (path / MARKER).write_text((path / MARKER).read_text().replace('"version": 1', '"version": 99'))


def a_file(path: Path) -> None:
    path.write_text("precious")


def a_link_to_a_folder(path: Path) -> None:
    path.symlink_to("documents")


def a_link_to_ours(path: Path) -> None:
    write(path.with_name("real"))
    path.symlink_to("real")


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


REPLACED = [ours, ours_without_a_file]
REFUSED = [
    empty_folder,
    documents,
    package_of_an_earlier_version,
    ours_of_another_kind,
    a_file,
    a_link_to_a_folder,
    a_link_to_ours,
    a_link_to_nothing,
    a_pipe,
    *map(
        ours_with,
        (
            a_note,
            a_hidden_note,
            a_note_deep_inside,
            an_empty_folder_inside,
            a_link_inside,
            a_file_turned_into_a_link,
            a_folder_turned_into_a_link,
            a_file_turned_into_a_folder,
            a_changed_file,
            a_longer_file,
            a_pipe_inside,
            a_list_that_is_a_link,
            a_list_for_everything,
            no_list,
            a_damaged_list,
            a_list_of_another_version,
        ),
    ),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with documents, a training run and images of the user's."""
    for name in ("documents/thesis.txt", "run/model_weights.pth", "run/log.csv", "images/cells.tif", "elsewhere"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("precious")
    return tmp_path


@pytest.mark.parametrize("make", REPLACED)
def test_what_this_tool_wrote_is_replaced(home: Path, make: Make) -> None:
    make(home / "out")
    (home / "out/parity/report.json").touch()  # another time is no change
    with pytest.raises(OutputError, match="exists already"):
        write(home / "out", overwrite=False)
    before = snapshot(home / "documents")
    write(home / "out")
    assert (home / "out/model.pt").read_text() == "new"
    assert snapshot(home / "documents") == before
    assert not [path for path in home.iterdir() if path.name.startswith(".")]
    assert home / "out" in written_paths()


@pytest.mark.parametrize("overwrite", [True, False], ids=["overwrite", "no overwrite"])
@pytest.mark.parametrize("make", REFUSED)
def test_nothing_else_is_replaced(home: Path, make: Make, overwrite: bool) -> None:
    make(home / "out")
    before = snapshot(home)
    with pytest.raises(OutputError) as refused:
        write(home / "out", overwrite=overwrite)
    assert snapshot(home) == before
    assert str(home / "out") in refused.value.message
    assert ".instanseg-export-" not in refused.value.message
    assert refused.value.hint


def test_a_refusal_names_what_was_not_written(home: Path) -> None:
    write(home / "out")
    for name in ("a.txt", "parity/b.txt"):
        (home / "out" / name).write_text("mine")
    with pytest.raises(OutputError, match=r"a\.txt, parity/b\.txt"):
        write(home / "out")


@pytest.mark.parametrize("kind", ["package", "report", "benchmark"])
@pytest.mark.parametrize("other", ["package", "report", "benchmark"])
def test_an_output_is_replaced_by_its_kind_alone(home: Path, kind: str, other: str) -> None:
    write(home / "out", kind=kind)
    before = snapshot(home)
    if kind == other:
        write(home / "out", kind=other)
        return
    with pytest.raises(OutputError, match=f"it is a {kind}, and a {other}"):
        write(home / "out", kind=other)
    assert snapshot(home) == before


# Inputs

RELATIONS = {
    "the run itself": ("run", ["run"], "is the input"),
    "the file itself": ("run/model_weights.pth", ["run/model_weights.pth"], "is the input"),
    "its folder": ("run", ["run/model_weights.pth"], "holds the input"),
    "far above": (".", ["run/model_weights.pth"], "holds the input"),
    "inside": ("run/out", ["run"], "inside of the input"),
    "deep inside": ("run/new/folder/out", ["run"], "inside of the input"),
    "inside, by a link to the run": ("link/out", ["run"], "inside of the input"),
    "inside of what a link leads to": ("run/out", ["link"], "inside of the input"),
    "the link itself": ("link", ["run"], "is the input"),
    "what the link leads to": ("run", ["link"], "is the input"),
    "by dots": ("images/../run/out", ["run"], "inside of the input"),
    "a hard link": ("hard", ["run/model_weights.pth"], "is the input"),
    "the second input": ("images/out", ["run", "images"], "inside of the input"),
}


@pytest.mark.parametrize("overwrite", [True, False], ids=["overwrite", "no overwrite"])
@pytest.mark.parametrize("relation", RELATIONS)
def test_an_output_has_nothing_to_do_with_an_input(
    home: Path, relation: str, overwrite: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "link").symlink_to("run")
    (home / "hard").hardlink_to(home / "run/model_weights.pth")
    monkeypatch.chdir(home)
    output, inputs, words = RELATIONS[relation]
    before = snapshot(home)
    with pytest.raises(OutputError, match=words):
        write(Path(output), overwrite=overwrite, inputs=tuple(map(Path, inputs)))
    given = {"overwrite": overwrite, "inputs": map(Path, inputs)}
    with pytest.raises(OutputError, match=words), staged_file(Path(output), ours=lambda path: True, **given):  # type: ignore[arg-type]
        pass
    assert snapshot(home) == before


def test_our_own_output_is_not_replaced_while_it_is_an_input(home: Path) -> None:
    write(home / "out")
    before = snapshot(home)
    for given in ("out", "out/model.pt", "out/parity/report.json"):
        with pytest.raises(OutputError, match="the input"):
            write(home / "out", inputs=(home / given,))
    with pytest.raises(OutputError, match="a package of this tool"):
        write(home / "out/parity/more", overwrite=False)
    assert snapshot(home) == before


def test_an_input_that_moves_into_the_way_is_found_at_the_exchange(home: Path) -> None:
    with pytest.raises(OutputError, match="out-2"), staged_folder(home / "out", kind="package", inputs=[home / "run"]):
        (home / "out").symlink_to("run")
    assert (home / "out").is_symlink()
    assert (home / "out-2").is_dir()
    assert (home / "run/log.csv").read_text() == "precious"


# Files


def write_results(folder: Path, text: str, origin: str = "cells.tif", **options: object) -> None:
    sealed = folder / "cells_labels.tif"
    with staged_files(folder, overwrite=True, sealed=sealed, origin=origin, **options) as files:  # type: ignore[arg-type]
        for name in ("cells_overlay.png", "cells_objects.csv", "cells_labels.tif"):
            files.add(folder / name).write_text(text)


def test_files_that_belong_together_are_replaced_together(home: Path) -> None:
    for text in ("one", "two", "three"):
        write_results(home / "results", text)
        assert (home / "results/cells_objects.csv").read_text() == text
        assert (home / "results/cells_labels.tif").read_text().startswith(text)
    (home / "results/cells_overlay.png").unlink()
    write_results(home / "results", "four")
    assert len(list((home / "results").iterdir())) == 3


@pytest.mark.parametrize("name", ["cells_labels.tif", "cells_overlay.png", "cells_objects.csv"])
@pytest.mark.parametrize("change", ["edited", "appended", "a link", "the user's own", "a folder", "another image"])
def test_changed_files_and_those_of_others_are_not_replaced(home: Path, name: str, change: str) -> None:
    path = home / "results" / name
    if change == "the user's own":
        path.parent.mkdir()
        path.write_text("ground truth")
    else:
        write_results(home / "results", "one")
    if change == "edited":
        path.write_bytes(b"O" + path.read_bytes()[1:])
    elif change == "appended":
        path.write_bytes(path.read_bytes() + b"\n")
    elif change == "a link":
        path.rename(home / "kept")
        path.symlink_to(home / "kept")
    elif change == "a folder":
        path.unlink()
        path.mkdir()
    before = snapshot(home)
    with pytest.raises(OutputError, match=r"from cells\.tif, not from" if change == "another image" else "replaced"):
        write_results(home / "results", "two", origin="cells.png" if change == "another image" else "cells.tif")
    assert snapshot(home) == before


def test_a_file_that_appears_meanwhile_stays_and_nothing_is_lost(home: Path) -> None:
    def meet() -> None:
        with staged_file(home / "x.csv") as staged:
            staged.write_text("finished")
            (home / "x.csv").write_text("mine")

    with pytest.raises(OutputError, match=r"appeared.*x-2\.csv"):
        meet()
    assert (home / "x.csv").read_text() == "mine"
    assert (home / "x-2.csv").read_text() == "finished"


# Processes

WRITER = """
import sys, time
from pathlib import Path
from instanseg_export.errors import OutputError
from instanseg_export.files import scratch_folder, staged_folder
name, how, path = sys.argv[1:]
try:
    with scratch_folder() as scratch, staged_folder(Path(path), kind="package", overwrite=how == "overwrite") as folder:
        (scratch / "image.npy").write_text("x")
        (folder / "who.txt").write_text(name)
        print("ready", flush=True)
        sys.stdin.readline()
except OutputError as error:
    print("refused", error.message, flush=True)
else:
    print("written", flush=True)
"""


def start(name: str, how: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, name, how, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(path.parent)},
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("how", ["overwrite", "new"])
def test_of_several_at_once_one_wins_and_none_is_lost(home: Path, how: str) -> None:
    if how == "overwrite":
        write(home / "out")
    names = [f"writer {number}" for number in range(5)]
    processes = [start(name, how, home / "out") for name in names]
    assert [line(process) for process in processes] == ["ready"] * 5
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [line(process) for process in processes]
    for process in processes:
        process.communicate()
    won = [name for name, end in zip(names, ends, strict=True) if end == "written"]
    assert len(won) == 1
    assert (home / "out/who.txt").read_text() == won[0]
    found = [(home / f"out-{number}/who.txt").read_text() for number in range(2, 6)]
    assert sorted([*found, *won]) == names
    for name, end in zip(names, ends, strict=True):
        if name not in won:
            place = end.rsplit(" is ", 1)[1].rstrip(".")
            assert (Path(place) / "who.txt").read_text() == name, "the message says where the work is"
    assert not [path.name for path in home.iterdir() if "instanseg-export-" in path.name]


def work_folders(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir() if "instanseg-export-" in path.name)


def test_the_next_run_cleans_up_after_the_dead_and_only_after_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(home))
    for name in (".instanseg-export-notes", "instanseg-export-notes"):  # the user's, with such a name
        (home / name).mkdir()
        (home / name / "mine.txt").write_text("precious")
    theirs = work_folders(home)
    dead, living = start("dead", "new", home / "one"), start("living", "new", home / "two")
    assert [line(dead), line(living)] == ["ready", "ready"]
    assert len(work_folders(home)) == 6
    with dead:  # closes its pipes
        dead.kill()
    write(home / "three")
    with scratch_folder():
        assert len(work_folders(home)) == 5, "two of the living, one of ours, two of the user's"
    living.communicate("\n")
    assert (home / "two/who.txt").read_text() == "living"
    assert not (home / "one").exists()
    assert work_folders(home) == theirs
    assert (home / ".instanseg-export-notes/mine.txt").read_text() == "precious"


def test_a_living_process_that_was_forked_keeps_its_folder(home: Path) -> None:
    with staged_folder(home / "out", kind="package") as folder:
        (folder / "a.txt").write_text("x")
        time.sleep(0.01)
        write(home / "other")  # in the same process: cleans up beside
        assert (folder / "a.txt").exists()
    assert (home / "out/a.txt").read_text() == "x"


def test_folders_that_were_made_for_nothing_are_gone(home: Path) -> None:
    before = snapshot(home)

    def fail() -> None:
        with staged_folder(home / "new/deep/out", kind="package") as folder:
            (folder / "half.txt").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert snapshot(home) == before


def test_a_copy_of_an_output_is_an_output(home: Path) -> None:
    write(home / "out")
    shutil.copytree(home / "out", home / "copy")
    write(home / "copy")
    assert (home / "copy/model.pt").read_text() == "new"


# What looks as if this tool had left or written it

HOSTILE_LISTS = {
    "a size that is infinite": '"size": 1e999',
    "a size of 6,000 digits": '"size": ' + "9" * 6000,
    "a size that is no number": '"size": "x"',
    "a size that is a list": '"size": [[]]',
    "no size": '"sizes": 1',
    "a key twice": '"size": 1, "size": 2',
    "half of a character": '"size": 1, "\\ud800": 1',
    "a deep list": '"size": ' + "[" * 100_000,
    "a wide list": '"size": [' + "[]," * 4_000_000 + "[]]",
}


@pytest.mark.parametrize("name", HOSTILE_LISTS)
def test_hostile_lists_of_contents_vouch_for_nothing(home: Path, name: str) -> None:
    write(home / "out")
    (home / "out/thesis.txt").write_text("precious")
    text = (home / "out" / MARKER).read_text()
    size = next(line for line in text.splitlines() if '"size"' in line).strip().rstrip(",")
    (home / "out" / MARKER).write_text(text.replace(size, HOSTILE_LISTS[name]))
    before = snapshot(home)
    with pytest.raises(OutputError, match="out is not replaced"):
        write(home / "out")
    write(home / "out/inner", overwrite=False)  # and it is no output of ours, into which nothing may go
    shutil.rmtree(home / "out/inner")
    assert snapshot(home) == before


def pipe(path: Path) -> None:
    os.mkfifo(path)


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 10**12)


RECORDS: dict[str, Callable[[Path], object]] = {
    "none": lambda path: None,
    "one of another folder": lambda path: path.write_text('{"format": "instanseg-export work", "outputs": {}}'),
    "one that fits": lambda path: path.write_text(
        json.dumps({"format": "instanseg-export work", "folder": path.parent.stat().st_ino, "outputs": {}})
    ),
    "outputs of a wrong type": lambda path: path.write_text(
        json.dumps(
            {"format": "instanseg-export work", "folder": path.parent.stat().st_ino, "outputs": {"thesis.txt": 1}}
        )
    ),
    "a pipe": pipe,
    "an endless file": lambda path: path.symlink_to("/dev/zero"),
    "a folder": lambda path: path.mkdir(),
    "a deep text": lambda path: path.write_text("[" * 100_000),
    "a long number": lambda path: path.write_text('{"folder": ' + "9" * 6000 + "}"),
    "a huge file": huge,
}


@pytest.mark.parametrize("part", ["work", "aside"])
@pytest.mark.parametrize("record", RECORDS)
def test_links_in_what_looks_like_a_work_folder_are_not_followed(home: Path, record: str, part: str) -> None:
    """Such a folder can come in an archive, with a link to the user's documents."""
    work = home / ".instanseg-export-abcdefgh"
    work.mkdir()
    RECORDS[record](work / "record.json")
    (work / part).symlink_to(home / "documents")
    before = snapshot(home / "documents")
    write(home / "out")
    assert snapshot(home / "documents") == before
    assert (home / "out/model.pt").exists()


def test_empty_folders_of_the_user_stay(home: Path) -> None:
    for name in (".instanseg-export-packages", ".instanseg-export-x"):
        (home / name).mkdir()
    (home / ".instanseg-export-abcdefgh").mkdir(mode=0o700)  # as a process leaves it that was killed at once
    write(home / "out")
    assert work_folders(home) == [".instanseg-export-packages", ".instanseg-export-x"]


CLEANER = """
import sys
from pathlib import Path
from instanseg_export.files import staged_folder
folder, name = Path(sys.argv[1]), sys.argv[2]
for number in range(int(sys.argv[3])):
    with staged_folder(folder / f"{name}-{number}", kind="package") as content:
        (content / "who.txt").write_text(name)
"""


def test_processes_that_clean_up_leave_each_others_new_folders_alone(home: Path) -> None:
    (home / "all").mkdir()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLEANER, str(home / "all"), str(number), "60"], stderr=subprocess.PIPE, text=True
        )
        for number in range(6)
    ]
    for process in processes:
        _, words = process.communicate()
        assert process.returncode == 0, words
    assert len(list((home / "all").glob("*/who.txt"))) == 360
    assert work_folders(home / "all") == []


IMPOSSIBLE = {
    "a zero byte": "a\0b",
    "a zero byte above": "a\0b/c",
    "2,000 folders": "a/" * 2000 + "b",
    "300 characters": "x" * 300,
    "300 characters above": "x" * 300 + "/y",
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_names_that_cannot_be_are_refused_in_words(home: Path, name: str) -> None:
    before = snapshot(home)
    path = home / IMPOSSIBLE[name]
    with pytest.raises(OutputError) as refused:
        write(path)
    assert refused.value.message.isprintable()
    with pytest.raises(OutputError), staged_files(path) as files:
        files.add(path / "a").write_text("x")
    assert snapshot(home) == before


ODD_NAMES = ["a\nb", "\x1b[31mred", "[red]", ":smile:", "\u202egnp", "a\tb", os.fsdecode(b"\xff\xfe")]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_messages_on_odd_names_are_plain_and_name_no_temporary_folder(home: Path, name: str) -> None:
    def fail(staged: Path) -> None:
        raise OutputError(f"{staged / 'model.pt'} cannot be written.", hint="Go.")

    (home / name).mkdir()
    for path in (home / name / "out", home / name / name):
        with pytest.raises(OutputError) as refused, staged_folder(path, kind="package") as staged:
            fail(staged)
        assert ".instanseg-export-" not in refused.value.message
        assert "model.pt" in refused.value.message
        assert not any(char in refused.value.message for char in "\n\t\x1b\u202e")
    assert list((home / name).iterdir()) == []


def test_parts_of_an_interrupted_output_do_not_count_as_written(home: Path) -> None:
    """They were in a folder for work in progress, of which nobody may hear."""

    def write_and_stop() -> None:
        with staged_folder(home / "out", kind="package") as folder:
            with staged_file(folder / "model.onnx") as path:
                path.write_text("weights")
            with staged_part(folder / "model.mlpackage") as part:
                (part / "weights").write_text("weights")
            raise KeyboardInterrupt

    forget_written()
    with pytest.raises(KeyboardInterrupt):
        write_and_stop()
    assert written_paths() == ()
