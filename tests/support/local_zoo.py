"""The zoo's own server on this machine: installed into an environment of its own, started, asked."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from filelock import FileLock

from support.paths import TESTS

__all__ = ["Hypha", "NotInstalledError", "hypha_python", "running_hypha"]

_PACKAGES = ("hypha[s3]==0.21.137", "moto[s3,server]==5.2.5", "sqlmodel==0.0.24")
"""Newer ones of the last keep Hypha from starting."""

_PATIENCE = 600.0
"""Seconds for one answer: the server shares the machine with the export and the zoo's test."""

_VARIABLE = "INSTANSEG_EXPORT_HYPHA"
"""Of the environment: a Python that has these packages, where one is there already."""


class NotInstalledError(Exception):
    """The server cannot be installed here."""


@dataclass(frozen=True)
class Hypha:
    """A server that runs.

    Attributes:
        server: its address.
        root: the token of who may do all, reviewers' work among it.
        tokens: of users, by their names.
    """

    server: str
    root: str
    tokens: dict[str, str]

    def ask(self, verb: str, token: str | None = None, **keywords: Any) -> Any:
        """Call a verb of the artifact manager, as root unless another token is given."""
        url = f"{self.server}/public/services/artifact-manager/{verb}"
        headers = {"Authorization": f"Bearer {token or self.root}"}
        answer = httpx.post(url, json=keywords, headers=headers, timeout=_PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def files(self, artifact: str, *, stage: bool = False) -> dict[str, bytes]:
        """Return the files of an artifact, as whoever downloads them gets them."""
        found = {}
        for row in self.ask("list_files", artifact_id=artifact, stage=stage):
            url = self.ask("get_file", artifact_id=artifact, file_path=row["name"], stage=stage)
            found[row["name"]] = httpx.get(url, timeout=_PATIENCE).content
        return found


def hypha_python(cache: Path) -> Path:
    """Return a Python in which the server is installed; where it is not, install it into a folder.

    Raises:
        NotInstalledError: pip says why.
    """
    if given := os.environ.get(_VARIABLE):
        return Path(given)
    folder, whole = cache / "environment", cache / "whole"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    with FileLock(cache / "lock"):
        if not whole.exists() or not python.exists():
            venv.create(folder, clear=True, with_pip=True)
            install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_PACKAGES]
            done = subprocess.run(install, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                lines = done.stderr.strip().splitlines() or ["no message"]
                raise NotInstalledError(f"Hypha cannot be installed: {lines[-1]}")
            whole.touch()
    return python


@contextmanager
def running_hypha(python: Path, folder: Path) -> Iterator[Hypha]:
    """Start the server, and end it when the block does."""
    program = TESTS / "support" / "hypha_server.py"
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HYPHA_TOKEN")}
    with (folder / "stderr").open("wb") as errors:
        process = subprocess.Popen(
            [str(python), "-P", str(program), str(folder)],  # -P: without what lies beside the program
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, (folder / "stderr").read_text()[-3000:]
        yield Hypha(**json.loads(line))
    finally:
        process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()  # Hypha itself, which nobody would end any more
            process.kill()
            process.wait()
        process.stdout.close()
