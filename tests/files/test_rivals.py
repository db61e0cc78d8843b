"""Several processes that write, die and clean up at the same place and time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from instanseg_export.files import scratch_folder, staged_folder
from support.outputs_in_the_way import work_folders, write

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
