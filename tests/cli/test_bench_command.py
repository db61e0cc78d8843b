"""``instanseg-export bench`` as users run it: what it prints, writes and refuses. No time is asserted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from instanseg_export.files import MARKER

Done = subprocess.CompletedProcess
Command = Callable[..., Done[str]]
Refused = Callable[..., None]
QUICK = ("--turns", "1", "--threads", "1", "--size", "96")


def test_table_and_files(command: Command, demo_package: Path, tmp_path: Path) -> None:
    done = command("bench", demo_package, demo_package / "model.onnx", *QUICK, "--output", "speed")
    assert done.returncode == 0, done.stderr
    for words in (
        "threads: 1",
        "TorchScript",
        "ONNX Runtime, unoptimised",
        "network",
        "post-proc.",
        "MB",
        "objects/s",
        "times faster",
        "Floor: the network",
        "GFLOP/s",
        "bench.json",
    ):
        assert words in done.stdout, done.stdout
    assert all(line.startswith("[") for line in done.stderr.splitlines()), "only progress goes to stderr"
    assert {path.name for path in (tmp_path / "speed").iterdir()} == {"bench.json", "bench.png", MARKER}
    again = command("bench", demo_package, *QUICK, "--output", "speed")
    assert (again.returncode, "exists already" in again.stderr) == (2, True)


def test_json_on_own_images(command: Command, demo_package: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 56, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "mine.tif", pixels, photometric="rgb")
    done = command(
        "bench", demo_package, "--images", "mine.tif", "--runtimes", "onnxruntime", "--turns", "1", "--json", "--quiet"
    )
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["images"] == [{"name": "mine.tif", "shape": [1, 3, 40, 56], "note": "given"}]
    (row,) = document["rows"]
    assert row["status"] == "measured"
    assert list(row["split_s"]) == ["normalisation", "network", "post-processing"]
    assert document["matrix_peak_gflops"] > 0


def test_refusals(command: Command, refused: Refused, demo_package: Path, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "two.tif", np.zeros((2, 40, 50), np.uint8), imagej=True, metadata={"axes": "CYX"})
    refused(command("bench", "nowhere"), "There is no file or folder nowhere")
    refused(command("bench", demo_package, "--images", "two.tif"), "two.tif", "2 channels", "takes 3")
    refused(command("bench", demo_package, "--size", "0"), "size 0", "not positive")
    refused(command("bench", demo_package, "--objects", "-3"), "objects -3", "not positive")
    refused(command("bench", demo_package, "--threads", "0"), "number of threads cannot be 0")
    refused(command("bench", demo_package / "model.onnx", "--runtimes", "torchscript"), "No runtime here runs")
    refused(command("bench", demo_package, "--runtimes", "onnxruntim"), "onnxruntim", "Did you mean 'onnxruntime'?")
    refused(command("bench"), "bench needs", "--help")
    assert {path.name for path in tmp_path.iterdir()} == {"two.tif"}
