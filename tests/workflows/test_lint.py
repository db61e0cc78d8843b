"""The workflows are sound, pinned, and allowed as little as they need: actionlint, zizmor and the schemas say so."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.paths import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))


def _program(name: str) -> str:
    """A program that pip installed beside this Python, or one on the PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}: pip install 'instanseg-export[test]'")
    return found


def _passes(*command: str | Path) -> None:
    done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _loaded(path: Path) -> dict[Any, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def _steps(content: dict[Any, Any]) -> list[dict[str, Any]]:
    jobs = [content["runs"]] if "runs" in content else content["jobs"].values()
    return [step for job in jobs for step in job.get("steps", ())]


def test_actionlint() -> None:
    """With shellcheck over every script of a workflow."""
    _passes(_program("actionlint"), "-shellcheck", _program("shellcheck"), *WORKFLOWS)


def test_zizmor() -> None:
    _passes(_program("zizmor"), "--offline", "--no-ignores", "--strict-collection", GITHUB)


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.github-actions", ACTIONS),
        ("vendor.dependabot", [GITHUB / "dependabot.yml"]),
    ],
    ids=["workflows", "actions", "dependabot"],
)
def test_schema(schema: str, files: list[Path]) -> None:
    assert files
    _passes(_program("check-jsonschema"), "--builtin-schema", schema, *files)


def test_shellcheck_finds_nothing_in_the_actions(tmp_path: Path) -> None:
    """actionlint reads workflows only."""
    scripts = []
    for action in ACTIONS:
        for place, step in enumerate(_steps(_loaded(action))):
            if "run" in step:
                scripts.append(tmp_path / f"{action.parent.name}-{place}.sh")
                scripts[-1].write_text(f"#!/bin/bash\nset -eo pipefail\n{step['run']}", encoding="utf-8")
    assert scripts
    _passes(_program("shellcheck"), *scripts)


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_action_is_pinned_by_its_commit_and_says_its_version(path: Path) -> None:
    uses = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    for one in uses:
        own = one.startswith("$/.github/actions/")
        assert own or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*", one), one
    found = [step["uses"] for step in _steps(_loaded(path)) if "uses" in step]
    assert len(found) == len(uses)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_permissions_are_the_least(path: Path) -> None:
    content = _loaded(path)
    assert content["permissions"] == {}
    granted = {name: job["permissions"] for name, job in content["jobs"].items()}
    publishing = {"publish": {"id-token": "write"}} if path.stem == "release" else {}
    assert granted == {name: {"contents": "read"} for name in content["jobs"]} | publishing
    assert all(job["timeout-minutes"] for job in content["jobs"].values())
    for step in _steps(content):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_our_action_is_given_inputs_that_it_has(path: Path) -> None:
    known = set(_loaded(GITHUB / "actions/parity/action.yml")["inputs"])
    for step in _steps(_loaded(path)):
        if step.get("uses") == "$/.github/actions/parity":
            assert set(step["with"]) <= known
            assert "model" in step["with"]


def test_the_reusable_workflow_hands_every_input_on() -> None:
    content = _loaded(GITHUB / "workflows/parity.yml")
    declared = set(content[True]["workflow_call"]["inputs"])  # YAML 1.1 reads "on" as a truth
    (step,) = [step for step in _steps(content) if step.get("id") == "parity"]
    assert set(step["with"]) == declared - {"runs-on", "timeout-minutes"}
    assert all(step["with"][name] == f"${{{{ inputs.{name} }}}}" for name in step["with"])
