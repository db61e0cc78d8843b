"""Tiles on real workers: each is done once, with the same bytes, through whatever befalls the workers and the run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import zarr

from instanseg_export.errors import ImageError, PackageError, RuntimeUnavailableError
from instanseg_export.images import read_image
from instanseg_export.runtimes.process import run_runtime
from instanseg_export.runtimes.registry import find_runtime
from instanseg_export.slides.engine.cluster import Cluster
from instanseg_export.slides.engine.connect import connected
from instanseg_export.slides.engine.events import RunEvent
from instanseg_export.slides.engine.needs import Needs
from instanseg_export.slides.engine.run_tiles import TilesDone, run_tiles
from instanseg_export.slides.engine.tile_files import TileFiles
from support.alive import alive, descendants, eventually
from support.paths import DEMO_IMAGES
from support.processes import environment
from support.tile_work import ArrayWork, grid

TILES = grid((96, 128), 32)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with connected(workers=2) as cluster:
        yield cluster


@pytest.fixture
def work(tmp_path: Path) -> ArrayWork:
    """Work on twelve tiles, without a model."""
    pixels = np.random.default_rng(0).uniform(0, 255, (3, 96, 128)).astype(np.float32)
    zarr.create_array(str(tmp_path / "image.zarr"), data=pixels, chunks=(3, 32, 32))
    (tmp_path / "notes").mkdir()
    return ArrayWork(str(tmp_path / "image.zarr"), str(tmp_path / "notes"))


class Runs:
    """Runs work into folders of their own, and reads what they hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[RunEvent] = []

    def run(
        self,
        cluster: Cluster,
        work: ArrayWork,
        name: str = "tiles",
        tell: Callable[[RunEvent], None] = lambda event: None,
        **options: Any,
    ) -> TilesDone:
        files = TileFiles(self.folder / name)
        files.folder.mkdir(exist_ok=True)
        self.events = []

        def listen(event: RunEvent) -> None:
            self.events.append(event)
            tell(event)

        needs = Needs.of([Path(work.model)] if work.model else [], [Path(work.image), files.folder])
        return run_tiles(cluster, work, options.pop("tiles", TILES), files, needs, tell=listen, **options)

    def bytes(self, name: str = "tiles") -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.folder / name).glob("*.npz"))}

    def workers(self) -> list[int]:
        return [int(path.name) for path in (self.folder / "notes").iterdir()]


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_a_real_image_in_onnx_runtime(cluster: Cluster, demo_package: Path, work: ArrayWork, runs: Runs) -> None:
    """The labels of each tile are those of the tile alone; a worker loads the model once."""
    pixels = read_image(DEMO_IMAGES / "fluorescence.png").array.astype(np.float32)
    pixels = np.broadcast_to(pixels, (3, *pixels.shape[1:]))[:, :192, :256]
    zarr.create_array(str(runs.folder / "cells.zarr"), data=pixels, chunks=(pixels.shape[0], 64, 64))
    model = demo_package / "model.onnx"
    tiles = grid(pixels.shape[1:], 96, halo=16)
    done = runs.run(cluster, replace(work, image=str(runs.folder / "cells.zarr"), model=str(model)), tiles=tiles)
    assert sorted(done.finished) == [tile.index for tile in tiles]
    assert len(tiles) == 6
    inputs = [runs.folder / f"{tile.index}.npy" for tile in tiles]
    for tile, path in zip(tiles, inputs, strict=True):
        np.save(path, pixels[(slice(None), *tile.seen.slices)][None])
    alone = run_runtime(find_runtime("onnxruntime"), model, inputs, [path.with_suffix(".npz") for path in inputs])
    for tile, outcome in zip(tiles, alone, strict=True):
        found = np.load(runs.folder / "tiles" / f"{tile.index:08d}.npz")["labels"]
        np.testing.assert_array_equal(found, outcome.labels()[0])
    assert sum(report.counts["objects"] for report in done.finished.values()) > 20
    assert len(runs.workers()) <= 2, "one session for each worker"
    assert len({report.worker for report in done.finished.values()}) <= 2


def test_events_tell_how_far_it_is(cluster: Cluster, work: ArrayWork, runs: Runs) -> None:
    runs.run(cluster, replace(work, delay=0.05))
    first, *_, last = runs.events
    assert (first.event, first.finished, first.left_s, first.workers) == ("start", 0, None, 2)
    assert (last.event, last.finished, last.objects, last.left_s) == ("done", 12, 12, 0.0)
    tiles = [event for event in runs.events if event.event == "tile"]
    assert [event.finished for event in tiles] == list(range(1, 13))
    assert all(event.megapixels_per_s > 0 for event in tiles)
    assert tiles[0].left_s is not None
    assert tiles[0].left_s > 0
    row = json.loads(tiles[5].json())
    assert (row["event"], row["tiles"], row["finished"], row["objects"]) == ("tile", 12, 6, 6)
    assert tiles[5].words().startswith("6 of 12 tiles, 6 objects, ")


def test_a_worker_that_is_killed_in_the_middle_is_survived(cluster: Cluster, work: ArrayWork, runs: Runs) -> None:
    runs.run(cluster, work, "clean")
    killed: list[int] = []

    def kill(event: RunEvent) -> None:
        if event.finished == 3 and not killed:
            killed.append(runs.workers()[0])
            os.kill(killed[0], signal.SIGKILL)

    done = runs.run(cluster, replace(work, delay=0.2), tell=kill)
    assert len(killed) == 1
    assert not done.failed
    assert runs.bytes() == runs.bytes("clean")
    assert len(runs.bytes()) == 12


def test_a_tile_that_kills_its_workers_is_marked_and_no_other(work: ArrayWork, runs: Runs) -> None:
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}), connected(workers=1) as cluster:
        done = runs.run(cluster, replace(work, kills=frozenset({5})))
        assert list(done.failed) == [5]
        assert done.failed[5].fault == "killer"
        assert done.failed[5].reason.startswith("2 workers died while they did it")
        assert sorted(done.finished) == [index for index in range(12) if index != 5]
        assert [(event.tile, event.failed) for event in runs.events if event.event == "failed"] == [(5, 1)]
        assert TileFiles(runs.folder / "tiles").noted()[5].fault == "killer"


def test_a_tile_that_cannot_be_read_is_left_out_and_tried_again_by_a_resume(
    cluster: Cluster, work: ArrayWork, runs: Runs
) -> None:
    done = runs.run(cluster, replace(work, unreadable=frozenset({2, 7})))
    assert {index: report.reason for index, report in done.failed.items()} == {
        2: "its block is damaged",
        7: "its block is damaged",
    }
    assert len(done.finished) == 10
    again = runs.run(cluster, work)
    assert again.reused == 10
    assert sorted(again.finished) == list(range(12))
    assert (runs.events[0].finished, runs.events[0].objects, runs.events[-1].objects) == (10, 10, 12)


def test_a_strict_run_ends_with_the_first_tile_that_fails(cluster: Cluster, work: ArrayWork, runs: Runs) -> None:
    with pytest.raises(ImageError, match="The tile 5 at y 32 to 64, x 32 to 64 failed: its block is damaged") as caught:
        runs.run(cluster, replace(work, unreadable=frozenset({5})), strict=True)
    assert "--resume" in caught.value.hint


def test_a_run_whose_first_tiles_all_fail_ends(cluster: Cluster, work: ArrayWork, runs: Runs) -> None:
    with pytest.raises(PackageError, match="All tiles that ended failed, 8 of them, the first because its block"):
        runs.run(cluster, replace(work, unreadable=frozenset(range(12))))
    with pytest.raises(PackageError, match="All tiles that ended failed, 2 of them"):
        runs.run(cluster, replace(work, unreadable=frozenset(range(12))), "few", tiles=TILES[:2])


def test_a_model_that_does_not_run_ends_it_in_words(cluster: Cluster, work: ArrayWork, runs: Runs) -> None:
    (runs.folder / "model.onnx").write_bytes(b"\x07\xff" * 500)
    with pytest.raises(PackageError, match="All tiles that ended failed"):
        runs.run(cluster, replace(work, model=str(runs.folder / "model.onnx")))
    with pytest.raises(RuntimeUnavailableError, match=r"it does not see .*gone.zarr"):
        runs.run(cluster, replace(work, image=str(runs.folder / "gone.zarr")))


def test_an_interrupted_run_goes_on_where_it_was(cluster: Cluster, work: ArrayWork, runs: Runs) -> None:
    runs.run(cluster, work, "clean")

    def interrupt(event: RunEvent) -> None:
        if event.finished == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.run(cluster, replace(work, delay=0.05), tell=interrupt)
    assert 4 <= len(runs.bytes()) < 12
    done = runs.run(cluster, work)
    assert 4 <= done.reused < 12
    assert runs.bytes() == runs.bytes("clean")
    assert runs.run(cluster, work).reused == 12


PROGRAM = """
import sys
from pathlib import Path
from instanseg_export.errors import InstansegExportError
from instanseg_export.slides.engine.connect import connected
from instanseg_export.slides.engine.needs import Needs
from instanseg_export.slides.engine.run_tiles import run_tiles
from instanseg_export.slides.engine.tile_files import TileFiles
from support.tile_work import ArrayWork, grid

if __name__ == "__main__":
    image, notes, tiles, delay = sys.argv[1:]
    work = ArrayWork(image, notes, delay=float(delay))
    with connected(workers=1) as cluster:
        try:
            run_tiles(cluster, work, grid((96, 128), 32), TileFiles(Path(tiles)), Needs.of([], [Path(tiles)]))
        except InstansegExportError as error:
            sys.exit(f"{type(error).__name__}: {error.message} {error.hint}")
"""


def start(work: ArrayWork, folder: Path, delay: float, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start a run in a process of its own."""
    program = folder.parent / "program.py"
    program.write_text(PROGRAM)
    return subprocess.Popen(
        [*prefix, sys.executable, str(program), work.image, work.notes, str(folder), str(delay)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_leaves_no_process_and_whole_files(
    cluster: Cluster, work: ArrayWork, runs: Runs, number: signal.Signals
) -> None:
    """SIGINT goes to the whole group, as that of a terminal does: no worker prints a traceback."""
    runs.run(cluster, work, "clean")
    (runs.folder / "tiles").mkdir()
    process = start(work, runs.folder / "tiles", 0.5)
    assert eventually(lambda: len(runs.bytes()) >= 2)
    started = descendants(process.pid)
    assert started
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    printed, _ = process.communicate(timeout=60)
    assert printed.count("Traceback") == (number == signal.SIGINT), printed
    assert printed.rstrip().endswith("KeyboardInterrupt" if number == signal.SIGINT else ""), printed
    assert eventually(lambda: not any(map(alive, started)), 30)
    time.sleep(0.1)
    assert 2 <= len(runs.bytes()) < 12
    done = runs.run(cluster, work)
    assert done.reused >= 2
    assert runs.bytes() == runs.bytes("clean")


def test_a_full_disk_ends_it_and_finished_tiles_stay(work: ArrayWork, runs: Runs) -> None:
    disk, listing = runs.folder / "disk", runs.folder / "listing"
    disk.mkdir()
    unshare = ("unshare", "--user", "--map-root-user", "--mount")
    mount = f"mount -t tmpfs -o size=24k tmpfs {disk}"
    probe = shutil.which("unshare") and subprocess.run([*unshare, "sh", "-c", mount], capture_output=True, check=False)
    if not probe or probe.returncode:
        pytest.skip("needs unshare and the right to mount a small disk")
    script = f'{mount} && "$@"; status=$?; ls -A {disk} >{listing}; exit $status'
    process = start(work, disk, 0.0, (*unshare, "sh", "-c", script, "sh"))
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert printed.startswith(f"OutputError: The disk is full: {disk}"), printed
    assert printed.rstrip().endswith("Finished tiles are kept: continue with --resume."), printed
    names = listing.read_text().split()
    assert "00000000.npz" in names
    assert not [name for name in names if name.startswith(".")]
