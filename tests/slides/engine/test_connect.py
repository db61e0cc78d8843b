"""Clusters that are not there, not ready or not alike are refused in words; those of others are used and left."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster

from instanseg_export.errors import RuntimeUnavailableError, SettingError
from instanseg_export.slides.engine.connect import connected, local_workers
from instanseg_export.slides.engine.needs import Needs
from instanseg_export.slides.engine.run_tiles import run_tiles
from instanseg_export.slides.engine.tile_files import TileFiles
from support.processes import environment
from support.tile_work import ArrayWork, grid


@pytest.fixture
def scheduler() -> Iterator[LocalCluster]:
    """A scheduler of somebody else, without workers."""
    with LocalCluster(
        n_workers=0,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster


def test_a_cluster_that_runs_is_used_and_left_as_it_is(scheduler: LocalCluster, tmp_path: Path) -> None:
    scheduler.scale(1)
    zarr.create_array(str(tmp_path / "image.zarr"), data=np.ones((1, 64, 64), np.float32))
    for name in ("notes", "tiles"):
        (tmp_path / name).mkdir()
    work = ArrayWork(str(tmp_path / "image.zarr"), str(tmp_path / "notes"))
    files = TileFiles(tmp_path / "tiles")
    needs = Needs.of([tmp_path / "image.zarr"], [files.folder])
    with connected(scheduler.scheduler_address) as cluster:
        done = run_tiles(cluster, work, grid((64, 64), 32), files, needs)
        assert sorted(done.finished) == [0, 1, 2, 3]
        assert cluster.dashboard.startswith("http://")

        wrong = replace(needs, hashes={str(tmp_path / "image.zarr"): "0"})
        with pytest.raises(RuntimeUnavailableError, match=r"its .*image.zarr is another one"):
            cluster.require(wrong)
        with pytest.raises(RuntimeUnavailableError, match="does not see /no/such/place"):
            cluster.require(Needs.of([], [Path("/no/such/place")]))
        with pytest.raises(RuntimeUnavailableError, match=r"it has Python 3\.\d+, not 3\.1"):
            cluster.require(replace(needs, python=(3, 1)))
    with Client(scheduler) as client:
        assert client.submit(sum, [1, 2]).result() == 3
        plugins = client.run(lambda dask_worker: [name for name in dask_worker.plugins if name.startswith("tiles-")])
        assert list(plugins.values()) == [[]], "a run's plugin stays on the worker"


def test_a_worker_with_another_version_is_refused(scheduler: LocalCluster, tmp_path: Path) -> None:
    package = tmp_path / "other" / "instanseg_export"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('__version__ = "0.0.9"\n')
    variables = environment()
    variables["PYTHONPATH"] = str(package.parent)
    command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler.scheduler_address, "--no-dashboard"]
    worker = subprocess.Popen(
        [*command, "--no-nanny", "--local-directory", str(tmp_path)],
        env=variables,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connected(scheduler.scheduler_address) as cluster:
            with pytest.raises(RuntimeUnavailableError, match=r"it has instanseg-export 0.0.9, not \d") as caught:
                cluster.require(Needs.of([], []))
            assert "shared storage" in caught.value.hint
    finally:
        worker.terminate()
        worker.wait()


def test_a_scheduler_without_workers_is_said(scheduler: LocalCluster) -> None:
    with pytest.raises(RuntimeUnavailableError, match="has no workers after 1 s"):
        connected(scheduler.scheduler_address, patience=1).__enter__()


def test_a_scheduler_that_does_not_answer_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(RuntimeUnavailableError, match=f"The scheduler {address} does not answer within 1 s"):
            connected(address, patience=1).__enter__()
    with pytest.raises(SettingError, match="is no address of a scheduler"):
        connected("carrier-pigeon://there", patience=1).__enter__()
    with pytest.raises(SettingError, match="There is no scheduler file"):
        connected(str(tmp_path / "scheduler.json"), patience=1).__enter__()


def test_a_program_without_a_guard_is_told(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from instanseg_export.errors import InstansegExportError\n"
        "from instanseg_export.slides.engine.connect import connected\n"
        "try:\n"
        "    with connected(workers=1): pass\n"
        "except InstansegExportError as error:\n"
        "    print(error.message, error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, str(program)], env=environment(), capture_output=True, text=True, check=False
    )
    assert "if __name__ == '__main__':" in done.stdout, done.stderr


def test_without_dask_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['distributed'] = None\n"
        "import instanseg_export.slides.engine.run_tiles\n"
        "from instanseg_export.errors import RuntimeUnavailableError\n"
        "from instanseg_export.slides.engine.connect import connected\n"
        "try: connected().__enter__()\n"
        "except RuntimeUnavailableError as error: print(error.message, error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "Python does not find distributed. pip install 'instanseg-export[scale]'\n"


def test_by_default_each_core_has_a_worker() -> None:
    assert local_workers("cpu") >= 1
    assert local_workers("cuda:1") == 2
