"""Measures rules for seams on planted ellipses, and the time and memory of a whole slide's objects.

    python tests/benchmarks/seams.py
    python tests/benchmarks/seams.py --slide 240000

README.md beside this file says what the columns mean, and what was measured when.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

if __name__ == "__main__":  # as pytest does for tests
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.seam_errors import errors
from benchmarks.seam_rules import RULES, SeamRule, own_and_match
from instanseg_export.evaluation.metrics import overlaps
from instanseg_export.slides.box import Box
from instanseg_export.slides.engine.tile_files import TileFiles
from instanseg_export.slides.grid import Grid
from instanseg_export.slides.seams.candidates import find_candidates
from instanseg_export.slides.seams.choice import RULE
from instanseg_export.slides.seams.decide import decide
from instanseg_export.slides.seams.final import final_objects
from instanseg_export.slides.seams.paint import paint
from instanseg_export.slides.tile_file import TileResults, save_tile
from support.planted_shapes import of_cores
from support.planted_slides import Ellipses, Noise, plant

_SIZE, _SPACING = 4096, 39.2
NETWORKS = {
    "exact": None,
    "noisy": Noise(),
    "noisy, worse at edges": Noise(worse=10.0),
}
VARIANTS: dict[str, SeamRule] = {
    "own and match, same above 0.1": own_and_match(replace(RULE, same=0.1)),
    "own and match, same above 0.5": own_and_match(replace(RULE, same=0.5)),
    "own and match, nothing outside": own_and_match(replace(RULE, outside=0.0)),
    "own and match, a quarter halo outside": own_and_match(replace(RULE, outside=0.25)),
    "own and match, all outside": own_and_match(replace(RULE, outside=9.0)),
}


def main() -> int:
    """Measure and print; the exit status is 0 whatever was reached."""
    parser = argparse.ArgumentParser(description="Prints what rules for seams lose, double and join.")
    parser.add_argument("--seeds", type=int, default=3, help="planes of 10,816 ellipses")
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--halo", type=int, default=80)
    parser.add_argument("--variants", action="store_true", help="other numbers in our rule, too")
    parser.add_argument("--slide", type=int, metavar="OBJECTS", help="measure a slide of so many objects instead")
    args = parser.parse_args()
    if args.slide:
        print(json.dumps(measure_slide(args.slide, args.tile, args.halo), indent=1))  # noqa: T201
        return 0
    rules = {**RULES, **(VARIANTS if args.variants else {})}
    print("lost / duplicated / merged, sums over planes / 1 if the order of tiles matters in the first")  # noqa: T201
    for name, noise in NETWORKS.items():
        table = compare(rules, noise, args.seeds, args.tile, args.halo)
        for rule, figures in table.items():
            print(f"{name:22}  {rule:38}  {'/'.join(str(number) for number in figures)}", flush=True)  # noqa: T201
    return 0


def compare(
    rules: dict[str, SeamRule], noise: Noise | None, seeds: int, tile: int, halo: int
) -> dict[str, tuple[int, ...]]:
    """Return what each rule loses, doubles and joins, and 1 where the order of tiles matters in the first plane."""
    sums: dict[str, npt.NDArray[np.int64]] = {}
    for seed in range(seeds):
        planted = plant((_SIZE, _SIZE), _SPACING, seed)
        tiles = of_cores(planted.shape, tile, halo)
        truth = planted.labels(Box.of(planted.shape))
        seen = {one.index: planted.seen(one.seen, noise, seed) for one in tiles}
        whole = planted.seen(Box.of(planted.shape), noise, seed)
        found = {"no tiles": [*errors(truth, whole), 0]}
        for name, rule in rules.items():
            final = rule(tiles, seen, list(tiles))
            other = seed == 0 and not _same_objects(final, rule(tiles, seen, list(tiles)[::-1]))
            found[name] = [*errors(truth, final), int(other)]
        for name, figures in found.items():
            sums[name] = sums.get(name, np.zeros(4, dtype=np.int64)) + figures
    return {name: tuple(int(number) for number in figures) for name, figures in sums.items()}


def _same_objects(one: npt.NDArray[np.integer], two: npt.NDArray[np.integer]) -> bool:
    pairs = overlaps(one, two)
    same = pairs.first_ids.size == pairs.second_ids.size == pairs.iou.size
    return same and bool((pairs.iou == 1).all())


def measure_slide(objects: int, tile: int, halo: int) -> dict[str, float]:
    """Return seconds of CPU and megabytes for a slide of planted objects, from the tiles' label maps to the files."""
    side = int(np.ceil(np.sqrt(objects)))
    spacing = 33.0
    planted = plant((int(side * spacing), int(side * spacing)), spacing, 0, count=objects)
    tiles = of_cores(planted.shape, tile, halo)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tiles").mkdir()
        files = TileFiles(Path(folder) / "tiles")
        drawn = measured = saved = 0.0
        for one in tiles:
            start = time.process_time()
            labels = planted.seen(one.seen)[None]
            middle = time.process_time()
            found = find_candidates(one, labels, plane=tiles.shape, halo=halo)
            after = time.process_time()
            save_tile(files.path(one.index), found, labels)
            drawn, measured, saved = (
                drawn + middle - start,
                measured + after - middle,
                saved + time.process_time() - after,
            )
        stored = sum(path.stat().st_size for path in (Path(folder) / "tiles").iterdir())
        child = subprocess.run(
            [sys.executable, __file__, "--finish", folder, *(str(number) for number in (*tiles.shape, tile, halo))],
            check=True,
            capture_output=True,
            text=True,
        )
        wrong = _wrong_windows(planted, Path(folder) / "labels.zarr")
        return {
            "tiles": len(tiles),
            "draw_s": round(drawn, 1),
            "find_candidates_s_per_tile": round(measured / len(tiles), 3),
            "save_s_per_tile": round(saved / len(tiles), 3),
            "files_mb": round(stored / 1e6),
            **json.loads(child.stdout),
            "wrong_windows": wrong,
        }


def _wrong_windows(planted: Ellipses, path: Path) -> int:
    """Return how many of some windows of the written map do not show the planted objects."""
    import zarr

    array, wrong = zarr.open_array(path, mode="r"), 0
    for y, x in np.random.default_rng(0).integers(0, np.array(planted.shape) - 1000, (12, 2)).tolist():
        truth = planted.labels(Box((y, x), (y + 1000, x + 1000)))
        wrong += not _same_objects(truth, np.asarray(array[0, y : y + 1000, x : x + 1000]))
    return wrong


def finish(folder: Path, tiles: Grid) -> dict[str, float]:
    """Match, number and write what lies in a folder of tiles; everything but the tiles' own work."""
    import zarr

    files = TileFiles(folder / "tiles")
    results = TileResults(files.path)
    wall, start = time.perf_counter(), time.process_time()
    decision = decide((results.objects(index) for index in sorted(files.finished())), tiles)
    decided = time.process_time()
    shard = 4096
    array = zarr.create_array(
        folder / "labels.zarr", shape=(1, *tiles.shape), chunks=(1, 512, 512), shards=(1, shard, shard), dtype="uint32"
    )
    for y in range(0, tiles.shape[0], shard):
        for x in range(0, tiles.shape[1], shard):
            box = Box((y, x), (y + shard, x + shard)).within(Box.of(tiles.shape))
            array[(slice(None), *box.slices)] = paint(box, decision, tiles, results.labels)
    painted = time.process_time()
    written = 0
    with (folder / "objects.txt").open("w") as stream:
        for one in final_objects(decision, tiles, results):
            part = one.parts[0]
            assert part is not None
            stream.write(f"{one.id} {part.size} {part.low} {part.mask.shape}\n")
            written += 1
            assert one.id == written
    ended = time.process_time()
    return {
        "objects": decision.counts.objects,
        "seen": decision.counts.seen,
        "decide_s": round(decided - start, 1),
        "paint_and_write_s": round(painted - decided, 1),
        "objects_s": round(ended - painted, 1),
        "wall_s": round(time.perf_counter() - wall, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--finish"]:
        folder, *numbers = sys.argv[2:]
        *shape, tile_size, margin = map(int, numbers)
        print(json.dumps(finish(Path(folder), of_cores(tuple(shape), tile_size, margin))))  # noqa: T201
        raise SystemExit(0)
    raise SystemExit(main())
