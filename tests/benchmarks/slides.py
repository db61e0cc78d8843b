"""Measures whole slides: memory and time by size, two workers against one, what tiling costs, and upstream's own way.

    python tests/benchmarks/slides.py
    python tests/benchmarks/slides.py --only stained upstream --json figures.json

The row ``upstream`` needs the extra ``peer``, and tiffslide, which upstream reads slides with. README.md beside this
file says what each row means, and what was measured when.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # as pytest does for tests
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.cones import cone_checkpoint
from benchmarks.process_tree import Cost, cost_of
from benchmarks.rows import say
from benchmarks.slide_files import planted_pattern, stained_pattern, write_slide
from benchmarks.slide_peer import compare_with_upstream
from instanseg_export import build_forward, load_checkpoint
from instanseg_export.targets import write_artifact
from support.paths import DEMO

__all__ = ["main"]

ROWS: dict[str, Callable[[Bench], Iterator[Line]]] = {}


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of the table."""

    row: str
    what: str
    result: str
    goal: str = ""


@dataclasses.dataclass(frozen=True)
class Run:
    """A slide that was segmented.

    Attributes:
        megapixels: of the slide.
        cost: of the whole command.
        record: ``run.json``.
    """

    megapixels: float
    cost: Cost
    record: dict[str, Any]

    @property
    def objects(self) -> int:
        """How many were found."""
        return int(sum(self.record["objects"].values()))

    def words(self) -> str:
        """Time and memory."""
        seconds = self.record["seconds"]
        parts = ", ".join(f"{part} {value:.1f}" for part, value in seconds.items())
        return f"{self.cost.seconds:.1f} s ({parts}), {self.cost.peak_mb:,.0f} MB, {self.objects:,} objects"


class Bench:
    """What rows share: slides, the demo's file, and that of the planted network; and runs, each done once."""

    def __init__(self, folder: Path, *, largest: int) -> None:
        self.folder = folder
        self.largest = largest
        self._runs: dict[tuple[str, int, int], Run] = {}

    def slide(self, kind: str, side: int) -> Path:
        """Return a slide, written when it is first asked for."""
        path = self.folder / f"{kind}_{side}{'.svs' if kind == 'stained' else '.ome.tif'}"
        if not path.exists():
            say(f"writing a {kind} slide of {side} x {side} pixels")
            pattern = stained_pattern() if kind == "stained" else planted_pattern()
            write_slide(path, side, pattern, stained=kind == "stained")
        return path

    def model(self, kind: str) -> Path:
        """Return an ONNX file: the demo's, or one whose network costs next to nothing."""
        path = self.folder / kind / "model.onnx"
        if not path.exists():
            path.parent.mkdir()
            checkpoint = load_checkpoint(DEMO) if kind == "stained" else cone_checkpoint()
            write_artifact("onnx", build_forward(checkpoint), checkpoint, path)
        return path

    def run(self, kind: str, side: int, workers: int = 2) -> Run:
        """Segment a slide with the command of users, with one thread for each worker."""
        known = self._runs.get((kind, side, workers))
        if known is not None:
            return known
        output = self.folder / "output"
        slide, model = self.slide(kind, side), self.model(kind)
        say(f"segmenting {slide.name}, workers {workers}")
        command = [sys.executable, "-m", "instanseg_export", "run", str(model), str(slide), "--tiled"]
        command += ["--workers", str(workers), "--output", str(output), "--runtime", "onnxruntime"]
        cost = cost_of(command)
        run = Run(side**2 / 1e6, cost, json.loads((output / "run.json").read_text(encoding="utf-8")))
        kept = self.folder / f"{kind}_{side}.labels.zarr"
        shutil.rmtree(kept, ignore_errors=True)
        (output / "labels.zarr").rename(kept)
        shutil.rmtree(output)
        say(run.words())
        self._runs[kind, side, workers] = run
        return run

    def sides(self, most: int) -> list[int]:
        """Return the sizes to measure."""
        return [side for side in (4096, 8192, 16384, 32768) if side <= min(self.largest, most)]


def _row(function: Callable[[Bench], Iterator[Line]]) -> Callable[[Bench], Iterator[Line]]:
    ROWS[function.__name__.strip("_")] = function
    return function


@_row
def stained(bench: Bench) -> Iterator[Line]:
    """The demo on H&E: time and memory by size."""
    yield from _by_size("stained", [bench.run("stained", side) for side in bench.sides(16384)])


@_row
def planted(bench: Bench) -> Iterator[Line]:
    """A network that costs next to nothing, on planted cones: time and memory by size, and 240,000 objects."""
    runs = [bench.run("planted", side) for side in bench.sides(32768)]
    yield from _by_size("planted", runs)
    seconds = runs[-1].record["seconds"]
    after = seconds["seams"] + seconds["writing"]
    yield Line("planted", f"{runs[-1].objects:,} objects matched, relabelled, written", f"{after:.0f} s", "180 s")


def _by_size(row: str, runs: list[Run]) -> Iterator[Line]:
    for run in runs:
        yield Line(row, f"{run.megapixels:,.0f} megapixels", run.words())
        pace = run.cost.seconds / run.megapixels / (runs[0].cost.seconds / runs[0].megapixels)
        yield Line(row, "  time per pixel, to the smallest", f"{pace:.2f}", "1.05")
        yield Line(row, "  memory", f"{run.cost.peak_mb:,.0f} MB", "4,000 MB")


@_row
def workers(bench: Bench) -> Iterator[Line]:
    """The demo on H&E with one worker and with two."""
    side = bench.sides(4096)[0]
    one, two = bench.run("stained", side, 1), bench.run("stained", side)
    gain = one.record["seconds"]["tiles"] / two.record["seconds"]["tiles"]
    whole = one.cost.seconds / two.cost.seconds
    yield Line("workers", "two do so much more than one", f"{gain:.2f} (whole command {whole:.2f})", "1.7")


@_row
def overhead(bench: Bench) -> Iterator[Line]:
    """What everything but the model costs: the demo on H&E."""
    run = bench.run("stained", bench.sides(8192)[-1])
    bare = run.record["seconds_of_model"] / 2
    parts = run.record["seconds"]
    tiles = run.record["seconds_of_tiles"] / run.record["seconds_of_model"] - 1
    after = {part: parts[part] / bare for part in ("seams", "writing")}
    shown = f"tiles {tiles:+.1%}, seams {after['seams']:+.1%}, writing {after['writing']:+.1%}"
    yield Line(
        "overhead",
        "reading, seams and writing, to the model alone",
        f"{tiles + sum(after.values()):+.1%} ({shown})",
        "+10 %",
    )
    yield Line("overhead", "  whole command, start included", f"{sum(parts.values()) / bare - 1:+.1%}")


@_row
def upstream(bench: Bench) -> Iterator[Line]:
    """The demo's weights in upstream's eval_whole_slide_image, on the same slide."""
    side = bench.sides(8192)[-1]
    run = bench.run("stained", side)
    ours = bench.folder / f"stained_{side}.labels.zarr"
    found = compare_with_upstream(bench.slide("stained", side), bench.model("stained"), ours, bench.folder)
    yield Line("upstream", "ours", run.words())
    yield Line("upstream", "upstream", f"{found.cost.seconds:.1f} s, {found.cost.peak_mb:,.0f} MB")
    yield Line("upstream", "faster by", f"{found.cost.seconds / run.cost.seconds:.1f}", "4")
    yield Line("upstream", "lost / duplicated / merged, ours", found.ours)
    yield Line("upstream", "lost / duplicated / merged, upstream", found.upstream)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Prints what whole slides cost.")
    parser.add_argument("--only", nargs="+", choices=[*ROWS], metavar="ROW", help=f"of: {', '.join(ROWS)}")
    parser.add_argument("--largest", type=int, default=32768, help="side of the largest slide, in pixels")
    parser.add_argument("--folder", type=Path, help="keep slides and label maps there")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    args = parser.parse_args()
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(folder, largest=args.largest)
        for name in args.only or ROWS:
            say(f"{name}: {(ROWS[name].__doc__ or '').strip()}")
            for line in ROWS[name](bench):
                lines.append(line)
                say(f"  {line.what}: {line.result}" + (f" (goal {line.goal})" if line.goal else ""))
    for line in lines:
        print(f"{line.row:10} {line.what:60} {line.result:40} {line.goal}")  # noqa: T201
    if args.json:
        args.json.write_text(json.dumps([dataclasses.asdict(line) for line in lines], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
