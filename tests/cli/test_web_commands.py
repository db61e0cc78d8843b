"""``serve`` and ``export-web`` as commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from instanseg_export.runtimes.build import CACHE_VARIABLE
from support.paths import ROOT
from support.web_page import LACKING

Command = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [
    pytest.mark.web,
    pytest.mark.skipif(bool(LACKING), reason=f"needs {' and '.join(LACKING)}"),
]


@pytest.fixture(autouse=True)
def with_page(web_page: Path, environment: dict[str, str]) -> Iterator[None]:
    """Commands find the built page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(environment, CACHE_VARIABLE, str(web_page))
        yield


def test_export_web_replaces_only_a_page_of_its_own(
    demo_package: Path, command: Command, refused: Callable[..., None], tmp_path: Path
) -> None:
    done = command("export-web", demo_package, "--output", "page", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] == "nuclei_dsb2018"
    refused(command("export-web", demo_package, "--output", "page"), "exists already")
    assert command("export-web", demo_package, "--output", "page", "--overwrite").returncode == 0
    (tmp_path / "page" / "mine.txt").write_text("mine")
    refused(command("export-web", demo_package, "--output", "page", "--overwrite"), "mine.txt")
    assert (tmp_path / "page" / "mine.txt").read_text() == "mine"
    refused(command("export-web", demo_package), "--output")
    refused(command("export-web", tmp_path / "none", "--output", "other"), "There is no")
    assert not (tmp_path / "other").exists()


def test_the_command_serves_until_it_is_interrupted(demo_package: Path, web_page: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "instanseg_export", "serve", str(demo_package), "--no-browser", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), CACHE_VARIABLE: str(web_page), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or lines[-1] != "}":
        lines.append(process.stdout.readline().rstrip("\n"))
        assert lines[-1] or process.poll() is None, process.communicate()
    url = json.loads("\n".join(lines))["url"]
    assert json.load(urlopen(f"{url}model/model.json"))["name"] == "nuclei_dsb2018"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert stderr == ""
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
