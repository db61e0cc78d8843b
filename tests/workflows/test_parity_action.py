"""The composite action's steps, run as a runner would, on the demo's package."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from instanseg_export.targets import read_metadata
from instanseg_export.targets.onnx.embedded import with_metadata
from support.action_steps import Ran, run_action
from support.paths import DEMO_IMAGES, ROOT

ACTION = ROOT / ".github/actions/parity"
UPLOAD = "actions/upload-artifact"
Action = Callable[..., Ran]


@pytest.fixture
def action(tmp_path: Path) -> Action:
    """Run the action in a workspace that holds the demo's package, with the package that the tests import."""
    programs = tmp_path / "bin"
    programs.mkdir()
    command = programs / "instanseg-export"
    command.write_text(f'#!/bin/bash\nexec {shlex.quote(sys.executable)} -m instanseg_export "$@"\n')
    command.chmod(0o755)

    def run(**inputs: str) -> Ran:
        temporary = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        temporary.mkdir()
        return run_action(
            ACTION,
            {"command": "instanseg-export", **{name.replace("_", "-"): value for name, value in inputs.items()}},
            workspace=tmp_path / "workspace",
            temporary=temporary,
            environment={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            },
        )

    (tmp_path / "workspace").mkdir()
    return run


@pytest.fixture
def workspace(action: Action, tmp_path: Path, demo_package: Path) -> Path:
    shutil.copytree(demo_package, tmp_path / "workspace/my model")
    (tmp_path / "workspace/images").mkdir()
    shutil.copy(DEMO_IMAGES / "histology.png", tmp_path / "workspace/images/a b.png")
    return tmp_path / "workspace"


def test_a_model_passes_and_then_a_drifted_file_fails(action: Action, workspace: Path) -> None:
    inputs = {"model": "my model", "images": "images/*.png", "runtimes": "torchscript\nonnxruntime"}
    first = action(**inputs)
    assert first.success, first.printed
    assert first.outputs["outcome"] == "passed"
    report = Path(first.outputs["report"])
    assert first.used[UPLOAD] == {"name": "parity-report", "path": str(report)}
    assert {"report.html", "report.json", "report.md", "junit.xml", "summary.md"} <= {p.name for p in report.iterdir()}
    assert first.summary.startswith("## ✅ Parity of nuclei_dsb2018: passed\n")
    assert "artefact" in first.summary
    shutil.copy(report / "report.json", workspace / "baseline.json")

    same = action(**inputs, baseline="baseline.json")
    assert same.success, same.printed
    assert "As in the baseline of" in same.summary

    _drift(workspace / "my model/model.onnx")
    drifted = action(**inputs, baseline="baseline.json", artifact_name="other")
    assert not drifted.success
    assert drifted.outputs["outcome"] == "failed"
    assert drifted.status == {"Compare runtimes": 0, "Summarise": 0, "Judge": 1}
    assert "::error title=Parity::" in drifted.printed["Judge"]
    assert drifted.used[UPLOAD]["name"] == "other"
    assert drifted.summary.startswith("## ❌ Parity of")
    assert "| ONNX Runtime | a b.png | outcome | passed | failed |" in drifted.summary
    assert "the onnx file" in drifted.summary
    suites = ElementTree.parse(Path(drifted.outputs["report"]) / "junit.xml").getroot()
    failures = {suite.get("name"): int(suite.get("failures", "0")) for suite in suites}
    assert failures["ONNX Runtime"] == 1
    assert failures["TorchScript"] == 0
    assert failures["Baseline"] > 1


def _drift(file: Path) -> None:
    """Write the file anew with another threshold, as an export with other settings would."""
    metadata = read_metadata(file)
    assert metadata is not None
    model = onnx.load(file)
    (threshold,) = [one for one in model.graph.initializer if one.name == "mask_threshold"]
    threshold.CopyFrom(numpy_helper.from_array(np.array(0.9, np.float32), "mask_threshold"))
    file.write_bytes(with_metadata(model, metadata))


def test_a_damaged_file_is_told_from_one_that_disagrees(action: Action, workspace: Path) -> None:
    file = workspace / "my model/model.onnx"
    file.write_bytes(file.read_bytes()[:-1000])
    ran = action(model="my model")
    assert ran.outputs["outcome"] == "error"
    assert "model.onnx" in ran.summary


def test_what_cannot_be_compared_says_why(action: Action, workspace: Path) -> None:
    ran = action(model="no such model", baseline="")
    assert not ran.success
    assert ran.outputs["outcome"] == "error"
    assert ran.status["Judge"] == 2
    assert UPLOAD not in ran.used
    assert "nothing was compared" in ran.summary
    assert "    error: There is no" in ran.summary
    assert "    hint: " in ran.summary


def test_a_missing_baseline_says_how_to_record_one(action: Action, workspace: Path) -> None:
    ran = action(model="my model", baseline="none.json")
    assert ran.outputs["outcome"] == "error"
    assert "There is no baseline at none.json" in ran.summary
    assert "--output baseline" in ran.summary


def test_a_name_is_no_command_to_the_runner(action: Action, workspace: Path) -> None:
    """Whatever the command prints stands between two lines that only the action knows."""
    ran = action(model="::add-mask::x")
    lines = ran.printed["Compare runtimes"].splitlines()
    token = lines[0].removeprefix("::stop-commands::")
    assert len(token) == 32
    assert lines[-1] == f"::{token}::"
    assert any("::add-mask::" in line for line in lines[1:-1])


@pytest.mark.slow
def test_it_installs_what_stands_at_its_own_commit(
    action: Action, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without what the package needs, which is gigabytes: so the comparison itself fails, and says why."""
    monkeypatch.setenv("PIP_NO_DEPS", "1")
    ran = action(model="my model", command="")
    assert ran.used["actions/setup-python"] == {"python-version": "3.12"}
    assert ran.status["Install instanseg-export"] == 0, ran.printed
    assert ran.outputs["outcome"] == "error"
    assert "No module named" in ran.printed["Compare runtimes"]
