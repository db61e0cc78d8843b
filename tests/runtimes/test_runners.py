"""Our runners stand alone: they prove that a file does."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from tiny_model import TinySegmenter

from instanseg_export.runtimes.registry import builtin_folder


def test_runners_share_no_code_with_the_exporter() -> None:
    for path in builtin_folder().glob("*/*.py"):
        imported = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add(str(node.module).partition(".")[0])
        assert ("instanseg_export" in imported) == (path.parent.name == "torch_eager"), path


def test_the_torchscript_runner_runs_where_the_exporter_would_fail(tmp_path: Path) -> None:
    torch.jit.script(TinySegmenter()).save(tmp_path / "instanseg.pt")
    poison = tmp_path / "poison" / "instanseg_export"
    poison.mkdir(parents=True)
    (poison / "__init__.py").write_text("raise ImportError('a runner imported the exporter')")
    np.save(tmp_path / "image.npy", np.full((1, 2, 9, 9), 200, dtype=np.float32))
    done = subprocess.run(
        [
            *(sys.executable, builtin_folder() / "torchscript" / "runner.py", "--model", tmp_path / "instanseg.pt"),
            *("--input", tmp_path / "image.npy", tmp_path / "none.npy"),
            *("--output", tmp_path / "a.npz", tmp_path / "b.npz"),
            *("--repeat", "2", "--stages"),
        ],
        env={**os.environ, "PYTHONPATH": str(poison.parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    ready, first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert ready["ready"] is True
    assert first["outputs"]["instance_segmentation"] == first["outputs"]["stage.labels"] == [1, 1, 9, 9]
    assert len(first["run_s"]) == 2
    assert first["device"] == "cpu"
    assert 10 < first["peak_mb"] < 20_000
    assert second["error"].startswith("FileNotFoundError")
    assert done.returncode == 1
