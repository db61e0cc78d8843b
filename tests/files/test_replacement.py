"""Only what this tool wrote is replaced, whatever lies at the output's place and whatever the inputs are."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from instanseg_export.errors import OutputError
from instanseg_export.files import (
    MARKER,
    forget_written,
    staged_file,
    staged_files,
    staged_folder,
    staged_part,
    written_paths,
)
from support.outputs_in_the_way import REFUSED, REPLACED, Make, snapshot, work_folders, write


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
