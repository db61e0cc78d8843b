"""Whole commands are killed at random moments: the old or the new output is in its place, and the next run goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from instanseg_export.files import MARKER
from instanseg_export.files.seal import read_seal
from support.figures import tell
from support.paths import ROOT
from support.training_runs import write_run

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.timeout(7200),  # commands by the dozen
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes that are left by their environment"),
]

OURS = "instanseg-export-"
PATIENCE = 20
NEXT_RUN = 4
"""After each so many kills a run is left in peace: it must clean up after all of them, and succeed."""


@dataclass(frozen=True)
class Command:
    """A command that replaces an output, and what the output before differs by.

    Attributes:
        words: of the command line.
        before: more words, with which the older output is made.
        output: what is replaced.
        kills: how many are tried.
    """

    words: tuple[str, ...]
    before: tuple[str, ...]
    output: str
    kills: int


COMMANDS = {
    "run": Command(
        ("run", "package", "image.tif", "--table", "csv", "--output", "results", "--overwrite"),
        ("--region", "0", "0", "128", "128"),
        "results",
        24,
    ),
    "validate": Command(
        (
            "validate",
            "package",
            "--images",
            "image.tif",
            "--output",
            "report",
            "--overwrite",
            "--runtimes",
            "torchscript",
            "onnxruntime",
        ),
        ("--set", "min_size=200"),
        "report",
        8,
    ),
    "evaluate": Command(
        (
            "evaluate",
            "package",
            "image.tif",
            "labels.tif",
            "--output",
            "evaluation",
            "--overwrite",
            "--runtimes",
            "onnxruntime",
            "--stability",
            "0",
        ),
        ("--iou", "0.6"),
        "evaluation",
        8,
    ),
    "export": Command(
        ("./training", "--targets", "torchscript", "--no-validate", "--output", "exported", "--overwrite"),
        ("--set", "min_size=200"),
        "exported",
        8,
    ),
}


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by name."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def is_whole(folder: Path, found: dict[str, str]) -> bool:
    """Tell whether all files are as the output's own list says, and no other is there."""
    if (folder / MARKER).exists():
        listed = json.loads((folder / MARKER).read_text())["files"]
        return {name: entry["sha256"] for name, entry in listed.items()} == {
            name: digest for name, digest in found.items() if name != MARKER
        }
    labels = next(folder.glob("*_labels.tif"), None)
    seal = None if labels is None else read_seal(labels)
    return seal is not None and labels is not None and {**seal[1], labels.name: found[labels.name]} == found


class Place:
    """A folder with inputs, documents, and an older output of a command."""

    def __init__(self, folder: Path, command: Command, package: Path) -> None:
        self.folder, self.command = folder, command
        self.output = folder / command.output
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        (folder / "documents").mkdir()
        (folder / "documents/thesis.txt").write_text("precious")
        shutil.copytree(package, folder / "package")
        shutil.copy(package / "sample-fluorescence.tif", folder / "image.tif")
        shutil.copy(package / "sample-fluorescence-labels.tif", folder / "labels.tif")
        write_run(folder / "training")
        process = self.start(command.before)
        assert process.wait() == 0, self.said()
        self.old = contents(self.output)
        assert is_whole(self.output, self.old)
        shutil.copytree(self.output, folder / "kept")
        self.new: dict[str, str] = {}
        self.others = self.beside()

    def start(self, more: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        """Start the command."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary), "OMP_NUM_THREADS": "1"}
        with (self.temporary / "said").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "instanseg_export", *self.command.words, *more],
                cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            )  # fmt: skip

    def said(self) -> str:
        return (self.temporary / "said").read_text()

    def beside(self) -> dict[str, str]:
        """All files that are neither the output's nor temporary."""
        skipped = (f"{self.command.output}/", "tmp/")
        return {
            name: digest
            for name, digest in contents(self.folder).items()
            if not name.startswith(skipped) and OURS not in name
        }

    def left_over(self) -> list[str]:
        """What the command left, beside its output, inside of it and in the folder for temporary files."""
        places = (self.folder, self.temporary, self.output)
        return [path.name for place in places if place.is_dir() for path in place.iterdir() if OURS in path.name]

    def alive(self) -> list[psutil.Process]:
        """Processes of the command that live on."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TMPDIR") == str(self.temporary) and process.status() != "zombie":
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def state(self) -> str:
        """What is at the output's place: "old", "new", or "between" where some files are old and some are new."""
        found = {name: digest for name, digest in contents(self.output).items() if OURS not in name}
        if found == self.old:
            return "old"
        if is_whole(self.output, found):
            return "new"
        between = all(digest in (self.old.get(name), self.new.get(name)) for name, digest in found.items())
        return "between" if between and found.keys() == self.old.keys() else f"neither old nor new: {sorted(found)}"

    def run_in_peace(self) -> float:
        """Let the command end: it cleans up after all before it. Put the old output back, and return the seconds."""
        started = time.monotonic()
        assert self.start().wait() == 0, self.said()
        seconds = time.monotonic() - started
        assert (self.state(), self.left_over(), self.beside()) == ("new", [], self.others)
        self.new = contents(self.output)
        shutil.rmtree(self.output)
        shutil.copytree(self.folder / "kept", self.output)
        return seconds


def judge(place: Place, number: signal.Signals, status: int, before: set[str]) -> tuple[str, list[str]]:
    """Return what is there after a command was ended by a signal, and what is wrong.

    What a SIGKILL left before, a command that is ended early has not yet cleaned up.
    """
    state, said, wrong = place.state(), place.said(), []
    end = time.monotonic() + PATIENCE
    while place.alive() and time.monotonic() < end:
        time.sleep(0.05)
    if alive := place.alive():
        wrong.append(f"alive: {[process.cmdline() for process in alive]}")
    # Several files cannot be exchanged in one step; what SIGKILL leaves of that, the next run makes whole.
    if state not in ("old", "new") and not (state == "between" and number == signal.SIGKILL):
        wrong.append(state)
    if number == signal.SIGTERM:
        if left := set(place.left_over()) - before:
            wrong.append(f"left: {sorted(left)}")
        # Before the program can hear a signal, the system ends it.
        if status not in (143, -signal.SIGTERM):
            wrong.append(f"status {status}: {said[-300:]}")
        if status == 143 and ("Written:" in said.splitlines()[-1]) != (state == "new"):
            wrong.append(f"it says {said.splitlines()[-1]!r}, and the {state} output is there")
    if place.beside() != place.others:
        wrong.append("inputs, documents or other files were changed")
    return state, wrong


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_loses_nothing(
    name: str, tmp_path: Path, demo_package: Path, record_property: Callable[[str, object], None]
) -> None:
    place = Place(tmp_path, COMMANDS[name], demo_package)
    duration = place.run_in_peace()
    rng = np.random.default_rng(len(name))
    wrong, kills, states, tries = [], Counter[str](), Counter[str](), 0
    while kills.total() < place.command.kills and tries < 4 * place.command.kills:
        tries += 1
        number = (signal.SIGKILL, signal.SIGTERM)[tries % 2]
        before = set(place.left_over())
        started, process = time.monotonic(), place.start()
        # Outputs are written in the last part, so half of the kills fall there.
        try:
            status = process.wait(duration * rng.uniform(0.7 if tries % 4 < 2 else 0, 1))
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            status = process.wait(PATIENCE)
        state = "new"
        if not status:  # the machine is faster than it was
            duration = time.monotonic() - started
        else:
            state, faults = judge(place, number, status, before)
            kills[number.name] += 1
            states[state] += 1
            wrong += [f"{number.name} {tries}: {fault}" for fault in faults]
        assert place.state() in ("old", "new", "between"), wrong
        if state != "old" or tries % NEXT_RUN == 0:
            place.run_in_peace()
    place.run_in_peace()
    assert wrong == []
    assert kills.total() == place.command.kills
    figures = {
        **{f"by {number}": kills[number] for number in ("SIGKILL", "SIGTERM")},
        "old output in place": states["old"],
        "new output in place": states["new"],
        "between files of one output, made whole by the next run": states["between"],
        "faults": len(wrong),
    }
    tell(record_property, "Kills of whole commands at random moments", kills.total(), figures)
