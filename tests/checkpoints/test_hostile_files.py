"""Hostile checkpoints, cards and recipes: each is refused in words, in little memory and time, and runs no code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from instanseg_export import load_checkpoint
from instanseg_export.cli import main
from instanseg_export.errors import CheckpointError
from support.figures import tell
from support.hostile_checkpoints.everything import members
from support.hostile_checkpoints.member import Member
from support.processes import run_module
from support.training_runs import write_run

MEMORY = 300_000_000
"""Bytes that reading may take beyond eight times the file's: the costliest pickle of so many steps, and libraries."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by what Linux says of a process")


def faults(row: dict[str, Any]) -> list[str]:
    """What is wrong with how a member ended."""
    found = []
    if row["kind"] == "defect":
        found.append(f"ends with {row['error']}: {row['message'][:300]}")
    if row["kind"] == "read" and not row["harmless"]:
        found.append("was read")
    if row["kind"] == "refused" and not row["hint"].endswith((".", "…")):
        found.append(f"has the hint {row['hint'][-100:]!r}")
    if not (row["message"] + row["hint"]).isprintable():
        found.append(f"has control characters in {row['message'][:300]!r}")
    if "does not fit into memory" in row["message"]:
        found.append("is said to need more memory than there is")
    if row["memory"] > 8 * row["bytes"] + MEMORY:
        found.append(f"took {row['memory']:,} bytes for {row['bytes']:,}")
    return [f"{row['name']} {fault}" for fault in found]


def tried(folder: Path, part: int, parts: int) -> list[dict[str, Any]]:
    done = run_module("support.try_hostile", folder, str(part), str(parts))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"the next one after {rows[-1]['name'] if rows else 'none'}:\n{done.stderr[-4000:]}"
    assert not (folder / "canary").exists(), "code was executed"
    return rows


def test_a_sixth_of_all_is_refused(tmp_path: Path) -> None:
    rows = tried(tmp_path, 0, 6)
    assert len(rows) > 250
    assert [fault for row in rows for fault in faults(row)] == []


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(6))
def test_all_are_refused(tmp_path: Path, part: int, record_property: Callable[[str, object], None]) -> None:
    rows = tried(tmp_path, part, 6)
    assert [fault for row in rows for fault in faults(row)] == []
    ends = Counter(row["kind"] for row in rows)
    figures = {
        "refused": ends["refused"],
        "read with what is hostile ignored": ends["read"],
        "defects": ends["defect"],
        "executed": int((tmp_path / "canary").exists()),
        "memory at most": round(max(row["memory"] for row in rows) / 1e6),
    }
    tell(record_property, "Hostile checkpoints, cards, recipes and options", len(rows), figures)


def test_every_member_has_a_name_of_its_own(tmp_path: Path) -> None:
    names = [member.name for member in members(tmp_path / "canary")]
    assert len(names) == len(set(names)) > 1500


COMMANDS = (
    "pickle, zip: builtins.bytearray of a length",
    "pickle, legacy: laughs in tuples",
    "pickle, script: 'os'.'system' is called",
    "pickle, zip: '\\x1b[31m'.'\\x1b]0;title\\x07' is called",
    "tensor, zip: 0 (1000000, 1000000) (0, 0)",
    "zip: an entry with colours",
    "zip: 400,000 entries",
    "safetensors: a header of 1,099,511,627,776 bytes",
    "weights, True: meta",
    "weights: a name of colours",
    "description: pixel_size is float '1e+308'",
    "log: layers is '[[[[[[[[[[[[', 3000",
    "best params: peak_distance is '1e999'",
    "data properties: colours",
    "recipe: laughs by merging",
    "pipe: x.pt",
    "device: x.safetensors",
    "pipe: experiment_log.csv in a run",
    "ring of links: data properties",
)


@pytest.mark.parametrize("command", ["inspect", "export"])
def test_the_command_line_ends_in_two_plain_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    chosen = {member.name: member for member in members(tmp_path / "canary") if member.name in COMMANDS}
    assert set(chosen) == set(COMMANDS)
    for place, member in enumerate(chosen.values()):
        status, printed = by_command(member, tmp_path / str(place), command, capsys)
        assert (member.name, status) == (member.name, 2)
        assert [line.partition(":")[0] for line in printed.splitlines()[-2:]] == ["error", "hint"], printed
        assert printed.replace("\n", "").isprintable(), printed
        assert "Traceback" not in printed


def by_command(member: Member, folder: Path, command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    (folder / "in").mkdir(parents=True)
    path = member.build(folder / "in")
    words = ["inspect", str(path)] if command == "inspect" else [str(path), "--output", str(folder / "out")]
    status = main(words)
    assert not (folder / "out").exists()
    return status, capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("", "does not fit into memory"),
        ("import torch; torch.zeros(10**13)", "does not fit into memory"),
        ("raise ValueError('odd')", "damaged"),
    ],
)
def test_a_lack_of_memory_is_called_by_its_name(tmp_path: Path, program: str, words: str) -> None:
    """Of Python, and of torch, which raises a RuntimeError."""
    run = write_run(tmp_path / "run")
    state = torch.load(run / "model_weights.pth", weights_only=True)
    torch.save({**state, "more": torch.zeros(50_000_000)}, run / "model_weights.pth")
    lines = [
        "import resource, sys",
        "from pathlib import Path",
        "from instanseg_export import load_checkpoint",
        "from instanseg_export.untrusted.boundary import parsing",
        "from instanseg_export.errors import CheckpointError",
        "import torch, pickletools, instanseg_export.families.instanseg.network",
        "import instanseg_export.families.instanseg.reader",
        "size = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize() + 100_000_000",
        "resource.setrlimit(resource.RLIMIT_AS, (size, size))",
        "try:",
        f"    with parsing(Path('file'), 'the file', CheckpointError): {program}"
        if program
        else f"    load_checkpoint({str(run)!r})",
        "except CheckpointError as error:",
        "    print(error.message)",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert words in done.stdout, done.stdout + done.stderr


def test_a_folder_may_not_hold_what_only_looks_like_a_log(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (run / "experiment_log.csv").unlink()
    (run / "experiment_log.csv").mkdir()
    with pytest.raises(CheckpointError, match=r"experiment_log\.csv is a folder, not a file"):
        load_checkpoint(run)
