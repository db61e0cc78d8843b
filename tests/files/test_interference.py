"""At every step of an exchange the whole old or the whole new output is in its place, and nothing of the user is lost.

``support/interference.py`` stops the writing of an output at one step after the other, by signals and by quick users.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.figures import tell
from support.processes import run_module

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def fast_folder() -> Iterator[Path]:
    """A folder in memory, where there is one: thousands of small files are written and flushed."""
    memory = Path("/dev/shm")
    parent = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield Path(folder)


def interfere(scenario: str, event: str, stride: int, folder: Path) -> dict[str, int]:
    """Return how often what was there, after asserting that nothing was wrong."""
    found = tried(scenario, event, stride, folder)
    return dict(found["counts"])


def tried(scenario: str, event: str, stride: int, folder: Path) -> dict[str, Any]:
    """Return all that the program found, after asserting that nothing was wrong."""
    done = run_module("support.interference", scenario, event, str(stride), folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["steps"] > 100
    assert sum(found["counts"].values()) >= found["steps"] // stride
    return dict(found)


CASES = [
    ("new folder", "SIGKILL", {"nothing", "new"}),
    ("new folder", "SIGTERM", {"nothing", "new"}),
    ("replaced folder", "SIGKILL", {"old", "new"}),
    ("replaced folder", "SIGTERM", {"old", "new"}),
    ("new files", "SIGKILL", {"nothing", "new"}),
    ("new files", "SIGTERM", {"nothing", "new"}),
    ("replaced files", "SIGKILL", {"old", "new"}),
    ("replaced files", "SIGTERM", {"old", "new"}),
    ("scratch", "SIGKILL", {"old"}),
    ("scratch", "SIGTERM", {"old"}),
    ("new folder without exchange", "SIGKILL", {"nothing", "new"}),
    ("replaced folder without exchange", "SIGKILL", {"old", "new"}),
    ("replaced folder without exchange", "SIGTERM", {"old", "new"}),
    ("new folder", "folder", {"refused", "written"}),
    ("replaced folder", "folder", {"refused", "written"}),
    ("replaced folder", "file", {"refused", "written"}),
    ("new folder without exchange", "folder", {"refused", "written"}),
]


@pytest.mark.parametrize(("scenario", "event", "states"), CASES, ids=lambda value: value if type(value) is str else "")
def test_some_steps(scenario: str, event: str, states: set[str], fast_folder: Path) -> None:
    assert set(interfere(scenario, event, 9, fast_folder)) == states


@pytest.mark.slow
@pytest.mark.parametrize("event", ["SIGKILL", "SIGTERM"])
def test_every_step_of_replacing_a_folder(event: str, fast_folder: Path) -> None:
    counts = interfere("replaced folder", event, 1, fast_folder)
    assert min(counts["old"], counts["new"]) > 100


@pytest.mark.campaign
@pytest.mark.parametrize(("scenario", "event", "states"), CASES, ids=lambda value: value if type(value) is str else "")
def test_every_step(
    scenario: str, event: str, states: set[str], fast_folder: Path, record_property: Callable[[str, object], None]
) -> None:
    found = tried(scenario, event, 1, fast_folder)
    assert set(found["counts"]) == states
    by = {"by SIGKILL": "SIGKILL", "by SIGTERM": "SIGTERM", "by users who put something there": "folder file"}
    figures = {name: found["steps"] if event in events else 0 for name, events in by.items()}
    figures["faults"] = len(found["wrong"])
    tell(record_property, "Stops and rivals at every step of writing an output", found["steps"], figures)
