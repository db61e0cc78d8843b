"""Writes an output while something happens at one step after the other: a signal, or a user who is quick.

It is a program, called as ``python -m support.interference SCENARIO EVENT STRIDE FOLDER``. A step is a line of
``instanseg_export/files`` that is about to run; with a stride of 5, every fifth is tried. For each step a process of
its own starts from the same files. What is found afterwards is printed as JSON: how many steps there are, how often the
old and how often the new output was there, and what was wrong.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import instanseg_export.files as product
from instanseg_export.files import rename, scratch_folder, staged_files, staged_folder, written_paths

SOURCES = str(Path(product.__file__).parent)
OLD, NEW = {"a.txt": "old", "sub/b.txt": "old"}, {"a.txt": "new", "c.txt": "new"}


def tree(folder: Path) -> dict[str, str]:
    """All that is in a folder: text of files, targets of links."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        found[name] = f"-> {path.readlink()}" if path.is_symlink() else "/" if path.is_dir() else path.read_text()
    return found


def fill(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def write_folder(path: Path, files: dict[str, str]) -> None:
    with staged_folder(path, kind="package", overwrite=True) as folder:
        fill(folder, files)


def write_group(path: Path, text: str) -> None:
    sealed = path.with_name("x_labels.tif")
    with staged_files(path.parent, overwrite=True, sealed=sealed, origin="x.tif") as files:
        for name in ("x_overlay.png", "x_objects.csv", "x_labels.tif"):
            files.add(path.with_name(name)).write_text(text)


def use_scratch(path: Path, text: str) -> None:
    with scratch_folder() as folder:
        (folder / "image.npy").write_text(text)
    path.write_text(text)


def without_native() -> None:
    """As on a system that has no exchange: Windows, some network file systems."""
    rename._native = lambda: None  # type: ignore[assignment]


SCENARIOS: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "new folder": (lambda path: None, lambda path: write_folder(path, NEW)),
    "replaced folder": (lambda path: write_folder(path, OLD), lambda path: write_folder(path, NEW)),
    "new files": (lambda path: None, lambda path: write_group(path, "new")),
    "replaced files": (lambda path: write_group(path, "old"), lambda path: write_group(path, "new")),
    "scratch": (lambda path: fill(path.parent, {path.name: "old"}), lambda path: use_scratch(path, "new")),
}


def at_step(number: int, act: Callable[[], None]) -> dict[str, int]:
    """Do something when so many lines of the product are about to run, and count them."""
    count = {"steps": 0}

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(SOURCES):
            return None
        if event == "line":
            count["steps"] += 1
            if count["steps"] == number:
                act()
        return trace

    sys.settrace(trace)
    return count


class Stopped(KeyboardInterrupt):
    """What the command line makes of SIGTERM."""


def stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


def user_puts_folder(path: Path) -> None:
    """A user moves what is there away, and puts a folder of documents in its place."""
    if path.exists():
        path.rename(path.with_name("moved"))
    path.mkdir()
    (path / "mine.txt").write_text("precious")


def user_adds_file(path: Path) -> None:
    if path.is_dir():
        (path / "mine.txt").write_text("precious")


def events(path: Path) -> dict[str, Callable[[], None]]:
    return {
        "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "SIGTERM": lambda: signal.raise_signal(signal.SIGTERM),
        "folder": lambda: user_puts_folder(path),
        "file": lambda: user_adds_file(path),
    }


def child(write: Callable[[Path], None], path: Path, number: int, act: Callable[[], None], pipe: int) -> None:
    """Write the output, and tell how that ended, unless it is killed."""
    signal.signal(signal.SIGTERM, stop)
    product.forget_written()
    count = at_step(number, act)
    ended = "written"
    try:
        write(path)
    except Stopped:
        ended = "stopped"
    except product.folder.InstansegExportError as error:  # type: ignore[attr-defined]
        ended = f"refused: {error.message}"
    sys.settrace(None)
    told = {"ended": ended, "written": [str(one) for one in written_paths()], **count}
    os.write(pipe, json.dumps(told).encode())


def once(scenario: str, event: str, folder: Path, number: int) -> tuple[dict[str, Any], Path]:
    """Let one process run to its end or to the step; return what it told and the folder of its files."""
    prepare, write = SCENARIOS[scenario.removesuffix(" without exchange")]
    place = folder / f"{number}"
    place.mkdir()
    path = place / "out"
    os.environ["TMPDIR"] = str(place)
    product.scratch.tempfile.tempdir = str(place)  # type: ignore[attr-defined]
    prepare(path)
    fill(place, {"documents/thesis.txt": "precious"})
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            if scenario.endswith("without exchange"):
                without_native()
            child(write, path, number, events(path)[event], writer)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        told = stream.read()
    os.waitpid(pid, 0)
    return (json.loads(told) if told else {"ended": "killed"}), place


def left_over(place: Path) -> list[str]:
    return [path.name for path in place.iterdir() if "instanseg-export-" in path.name]


def states(place: Path, scenario: str) -> set[str]:
    """What is at the output's place: old, new, nothing, or something else that is named."""
    if scenario.startswith(("new files", "replaced files")):
        names = ("x_overlay.png", "x_objects.csv", "x_labels.tif")
        texts = [(place / name).read_text().split("\n")[0] if (place / name).exists() else "nothing" for name in names]
        return set(texts)
    if scenario == "scratch":
        return {(place / "out").read_text()}
    found = {
        name: text
        for name, text in (tree(place / "out").items() if (place / "out").exists() else ())
        if text != "/" and name != product.MARKER
    }
    return {"old" if found == OLD else "new" if found == NEW else "nothing" if not found else f"else: {found}"}


def judge_signal(scenario: str, event: str, told: dict[str, Any], place: Path) -> tuple[set[str], list[str]]:
    """Return what is there, and what is wrong with it."""
    wrong = []
    before = "nothing" if scenario.startswith("new") else "old"
    put_back_later = scenario.endswith("without exchange")
    found = states(place, scenario)
    if not found <= {before, "new"} and not (put_back_later and event == "SIGKILL"):
        wrong.append(f"there is {found}")
    if event == "SIGTERM":
        if left_over(place):
            wrong.append(f"left: {left_over(place)}")
        if scenario != "scratch" and (found == {"new"}) != bool(told["written"]):
            wrong.append(f"it says {told} and there is {found}")
        if len(found) > 1:
            wrong.append(f"some files are old and some are new: {found}")
    # The next run cleans up.
    write_folder(place / "next", {"a": "b"})
    with scratch_folder():
        pass
    found = states(place, scenario)
    if not found <= {before, "new"}:
        wrong.append(f"after the next run there is {found}")
    known = {"out", "documents", "next", "x_overlay.png", "x_objects.csv", "x_labels.tif"}
    if {path.name for path in place.iterdir()} - known:
        wrong.append(f"after the next run there are {sorted(path.name for path in place.iterdir())}")
    if tree(place / "documents") != {"thesis.txt": "precious"}:
        wrong.append("documents were changed")
    return found, wrong


def judge_user(scenario: str, event: str, told: dict[str, Any], place: Path) -> tuple[set[str], list[str]]:
    wrong = []
    mine = place / "out/mine.txt"
    acted = event == "folder" or (place / "out").is_dir()
    if acted and not (mine.exists() and mine.read_text() == "precious"):
        elsewhere = [name for name, text in tree(place).items() if text == "precious" and name.endswith("mine.txt")]
        if event == "folder" or told["ended"] != "written" or elsewhere:
            wrong.append(f"what the user put there is at {elsewhere}, and it says {told}")
    late = "while this ran" in told["ended"]
    if late and event == "folder" and "out-2" not in told["ended"]:
        wrong.append(f"the finished work is lost: {told}")
    if told["ended"].startswith("refused") and "out-2" in told["ended"] and not (place / "out-2/c.txt").exists():
        wrong.append(f"the message is not true: {told}")
    if left_over(place):
        wrong.append(f"left: {left_over(place)}")
    return {told["ended"].split(":")[0]}, wrong


def main(scenario: str, event: str, stride: int, folder: Path) -> None:
    total = once(scenario, event, folder, 0)[0]["steps"]
    judge = judge_signal if event.startswith("SIG") else judge_user
    wrong, counts = [], dict[str, int]()
    for number in range(1, total + 1, stride):
        told, place = once(scenario, event, folder, number)
        found, faults = judge(scenario, event, told, place)
        wrong += [f"step {number}: {fault}" for fault in faults]
        for one in found:
            counts[one] = counts.get(one, 0) + 1
        shutil.rmtree(place)
    sys.stdout.write(json.dumps({"steps": total, "counts": counts, "wrong": wrong}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
