"""Measures the exported files against upstream's own TorchScript file, on the same weights and image, in the same run.

    python tests/benchmarks/run.py

Machines are noisy: the programs take turns, the first turn is not counted, and medians and ratios are printed. Needs
the extra ``peer``. See README.md beside this file for what was measured when.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from upstream import write_upstream

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.parity import find_runtime, run_runtime
from instanseg_export.parity.images import draw_nuclei
from instanseg_export.targets import TARGETS, write_artifact

ROOT = Path(__file__).resolve().parent.parent.parent
DEMO = ROOT / "model_zoo" / "nuclei_dsb2018" / "checkpoint.pt"
EXPORT_GOAL_S = 90.0


@dataclass
class Entry:
    """One program on one file.

    Attributes:
        name: as it is printed.
        runtime: whose runner is used; upstream's file goes through the same program as our TorchScript file.
        model: the file.
    """

    name: str
    runtime: str
    model: Path
    seconds: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)
    objects: int = 0


def normalised_image(channels: int, size: int, objects: int) -> np.ndarray:
    """Return drawn nuclei (1, C, size, size), about ``objects`` of them, normalised: upstream's file expects that."""
    spacing = size / objects**0.5
    image = draw_nuclei(10, channels, size, size, spacing=spacing, radius=0.33 * spacing)
    low, high = np.percentile(image, [0.1, 99.9], axis=(1, 2), keepdims=True)
    return ((image - low) / (high - low)).astype(np.float32)[None]


def measure(entries: list[Entry], image: np.ndarray, turns: int, folder: Path) -> None:
    """Let the entries take turns, each in a fresh process that runs the image twice and reports the second time."""
    np.save(folder / "image.npy", image)
    for turn in range(turns + 1):
        for entry in entries:
            output = folder / f"{entry.name}.npz".replace(" ", "_")
            (outcome,) = run_runtime(
                find_runtime(entry.runtime), entry.model, [folder / "image.npy"], [output], repeat=2, time_limit=900
            )
            if outcome.error:
                raise SystemExit(f"{entry.name}: {outcome.error}")
            entry.objects = int(outcome.labels().max())
            if turn:
                entry.seconds.append(outcome.run_s[-1])
                entry.peak_mb.append(outcome.peak_mb or float("nan"))


def export_seconds(folder: Path) -> float:
    """Time the whole main job on the demo: both targets, package and parity report, as the command line does it."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "instanseg_export", str(DEMO), "--output", str(folder / "demo"), "--quiet"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else "")
    parser.add_argument("--checkpoint", type=Path, default=DEMO)
    parser.add_argument("--size", type=int, default=1024, help="height and width of the image")
    parser.add_argument("--objects", type=int, default=3000, help="about how many nuclei are drawn")
    parser.add_argument("--turns", type=int, default=3, help="counted turns of each program")
    parser.add_argument("--no-export", action="store_true", help="do not time the export of the demo")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = load_checkpoint(args.checkpoint)
        # Upstream's file ignores min_size: without it both have the same objects to paint.
        forward = build_forward(checkpoint, {"min_size": 0})
        entries = [Entry("upstream TorchScript", "torchscript", write_upstream(checkpoint, folder))]
        for target, runtime, title in (
            ("torchscript", "torchscript", "our TorchScript"),
            ("onnx", "onnxruntime", "our ONNX, ONNX Runtime"),
        ):
            path = folder / TARGETS.get(target).filename
            write_artifact(target, forward, checkpoint, path)
            entries.append(Entry(title, runtime, path))
        image = normalised_image(checkpoint.spec.channels or 3, args.size, args.objects)
        measure(entries, image, args.turns, folder)
        figures: dict[str, Any] = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "image": f"{args.size} x {args.size}, {args.objects} drawn nuclei",
            "rows": [rows_of(entry, entries[0]) for entry in entries],
        }
        if not args.no_export:
            figures["export_s"] = round(export_seconds(folder), 1)
            figures["export_goal_s"] = EXPORT_GOAL_S
    show(figures)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


def rows_of(entry: Entry, peer: Entry) -> dict[str, Any]:
    """Return the medians of an entry and its ratios to the peer."""
    seconds, peak = statistics.median(entry.seconds), statistics.median(entry.peak_mb)
    return {
        "program": entry.name,
        "objects": entry.objects,
        "seconds": round(seconds, 3),
        "spread_s": [round(min(entry.seconds), 3), round(max(entry.seconds), 3)],
        "peak_mb": round(peak, 1),
        "times_faster": round(statistics.median(peer.seconds) / seconds, 2),
        "memory_ratio": round(peak / statistics.median(peer.peak_mb), 2),
    }


def show(figures: dict[str, Any]) -> None:
    """Print the table."""
    print(f"{figures['machine']}; {figures['image']}")  # noqa: T201
    heads = ("program", "objects", "seconds", "spread_s", "peak_mb", "times_faster", "memory_ratio")
    for row in ({head: head for head in heads}, *figures["rows"]):
        print("  ".join(f"{row[head]!s:>24}" if head == "program" else f"{row[head]!s:>16}" for head in heads))  # noqa: T201
    print("goal: memory_ratio below 1 for our TorchScript")  # noqa: T201
    if "export_s" in figures:
        print(f"export of the demo with package and parity: {figures['export_s']} s (goal: under {EXPORT_GOAL_S:g} s)")  # noqa: T201


if __name__ == "__main__":
    main()
