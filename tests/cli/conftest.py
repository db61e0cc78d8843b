"""The command as users run it: a process of its own in a folder of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support import processes
from support.warm_commands import WarmCommands

Done = subprocess.CompletedProcess


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment in which a process uses the package that the tests import."""
    return processes.environment(OMP_NUM_THREADS="2", COLUMNS="100")


@pytest.fixture
def command(tmp_path: Path, environment: dict[str, str], warm_commands: WarmCommands) -> Callable[..., Done[str]]:
    """Run ``instanseg-export`` with the given arguments in the test's folder.

    Cold, as a new process, where the test asks for other variables or puts another program before it.
    """

    def run(*arguments: str | Path, prefix: tuple[str, ...] = (), **more: str) -> Done[str]:
        words = [*map(str, arguments)]
        if not prefix and not more:
            return warm_commands.run(words, tmp_path, environment)
        variables = {**environment, **more}
        if prefix:  # what holds for the command holds for its runners
            variables.pop("WARM_RUNNERS", None)
        return subprocess.run(
            [*prefix, sys.executable, "-m", "instanseg_export", *words],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def refused() -> Callable[..., None]:
    """Assert that a command ended with one message and one hint of ours, its exit status, and all the given words."""

    def check(done: Done[str], *words: str, status: int = 2) -> None:
        assert done.returncode == status, done.stdout + done.stderr
        lines = [line for line in done.stderr.splitlines() if not line.startswith("[")]  # without progress
        assert len(lines) == 2, done.stderr
        assert lines[0].startswith("error: ")
        assert lines[1].startswith("hint: ")
        for word in words:
            assert word in done.stderr, f"{word!r} is not in: {done.stderr}"

    return check
