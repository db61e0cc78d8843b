"""The page on adding members holds a whole package: built from the page, it passes its own tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from support.paths import ROOT
from support.processes import environment

PAGE = ROOT / "docs" / "adding-a-member.md"
FILE = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SUITES = ("family", "target", "runtime", "planes")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the package, as it is when it is installed: with its entry points."""
    folder = tmp_path_factory.mktemp("dots")
    for name, text in FILE.findall(PAGE.read_text(encoding="utf-8")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    metadata = folder / f"{project['name']}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dots\nVersion: {project['version']}\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    return folder


@pytest.mark.slow
def test_the_package_passes_its_tests(package: Path) -> None:
    own = environment()
    own["PYTHONPATH"] = f"{package}{os.pathsep}{own['PYTHONPATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "--import-mode=importlib", "tests"],
        cwd=package,
        env=own,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED" not in done.stdout, done.stdout
    for suite in SUITES:
        passed = re.findall(rf"^PASSED tests/test_{suite}\.py", done.stdout, re.MULTILINE)
        assert len(passed) >= 10, f"{suite}: {done.stdout}"


def test_every_test_file_of_the_package_is_run(package: Path) -> None:
    assert sorted(path.stem.removeprefix("test_") for path in (package / "tests").glob("*.py")) == sorted(SUITES)
