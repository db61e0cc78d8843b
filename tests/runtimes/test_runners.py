"""Our runners stand alone: they prove that a file does."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from instanseg_export.runtimes.registry import builtin_folder

RUNNER = """
import sys
sys.path.insert(0, {shared!r})
from runner_protocol import RESULT, serve

class Session:
    version = device = "here"
    def run(self, image):
        image.reshape(-1)[{place}:] *= -1
        return {{RESULT: image[:, :1] * 0}}

sys.exit(serve("test", lambda request: Session()))
"""
BIG = np.ones((1, 3, 400, 500), dtype=np.float32)  # more than is compared at a time


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


@pytest.mark.parametrize(
    ("image", "place", "error"),
    [
        (BIG, 0, "wrote to its input"),
        (BIG, -1, "wrote to its input"),
        (BIG, BIG.size, ""),
        (BIG[:0], 0, ""),
        (np.asfortranarray(BIG), BIG.size, "C order"),
    ],
    ids=["all of it", "its last pixel", "nothing", "no image", "in Fortran order"],
)
def test_a_model_that_writes_to_its_input_is_told(tmp_path: Path, image: np.ndarray, place: int, error: str) -> None:
    np.save(tmp_path / "image.npy", image)
    program = RUNNER.format(shared=str(builtin_folder() / "_shared"), place=place)
    files = ["--model", "none", "--input", str(tmp_path / "image.npy"), "--output", str(tmp_path / "labels.npz")]
    done = subprocess.run([sys.executable, "-c", program, *files], capture_output=True, text=True, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 2, done.stderr
    assert error in rows[1].get("error", "")
    assert ("error" in rows[1]) == bool(error)
    assert (tmp_path / "labels.npz").exists() == (not error)
