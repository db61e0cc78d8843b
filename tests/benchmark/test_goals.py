"""The benchmark of the goals, in tests/benchmarks: its fields hold the objects that they claim, and rows tell."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support.paths import TESTS
from support.planted import GRIDS, planted_checkpoint, planted_image
from support.processes import environment

Table = Callable[..., dict[tuple[str, str], dict[str, Any]]]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Run the command and return its lines by row and program."""

    def run(*arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
        figures = tmp_path / "figures.json"
        done = subprocess.run(
            [
                sys.executable,
                str(TESTS / "benchmarks" / "run.py"),
                "--json",
                str(figures),
                "--turns",
                "1",
                "--threads",
                "1",
                *arguments,
            ],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        lines = json.loads(figures.read_text())["lines"]
        assert all(line["measure"] in done.stdout for line in lines)
        return {(line["row"], line["program"]): line for line in lines}

    return run


@pytest.mark.parametrize("objects", [100, 750])
def test_planted_fields_hold_exactly_their_objects(objects: int) -> None:
    from instanseg_export import build_forward

    image = torch.from_numpy(planted_image(objects))
    rows, columns = GRIDS[objects]
    assert rows * columns == objects
    with torch.inference_mode():
        stages = build_forward(planted_checkpoint(), {"min_size": 0}).stages(image)
    assert torch.equal(stages["network"], image * 8), "the network hands the image on, to the last bit"
    assert len(stages["seeds"]) == objects
    ids, areas = np.unique(stages["labels"].numpy(), return_counts=True)
    assert ids.tolist() == list(range(objects + 1))
    assert 100 < np.median(areas[1:]) < 255, "nuclei of 7 to 9 pixels radius"


@pytest.mark.peer
def test_rows_that_need_what_is_not_here_say_so(table: Table) -> None:
    pytest.importorskip("instanseg", reason="needs upstream's package: pip install '.[peer]'")
    lines = table("--only", "int8", "cuda")
    assert lines["int8", "our int8 ONNX, ONNX Runtime"]["result"] == "not run"
    assert "--int8" in lines["int8", "our int8 ONNX, ONNX Runtime"]["detail"]
    if not torch.cuda.is_available():
        assert lines["cuda", "our TorchScript"]["result"] == "not run"
        assert lines["cuda", "our TorchScript"]["reached"] is None


@pytest.mark.slow
@pytest.mark.peer
def test_upstream_and_ours_find_the_same_number_and_have_a_ratio(table: Table) -> None:
    pytest.importorskip("instanseg", reason="needs upstream's package: pip install '.[peer]'")
    lines = table("--only", "post-750")
    peer = lines["post-750", "upstream TorchScript"]
    assert len(lines) == 3
    for line in lines.values():
        assert line["figures"]["objects"] == 750
        assert set(line["figures"]["split_s"]) == {"normalisation", "network"}
    ours = lines["post-750", "our TorchScript"]
    post = [max(one["figures"]["seconds"]) - sum(one["figures"]["split_s"].values()) for one in (peer, ours)]
    assert ours["figures"]["ratio"] == pytest.approx(post[0] / post[1])
    assert ours["reached"] is (ours["figures"]["ratio"] >= 5)
