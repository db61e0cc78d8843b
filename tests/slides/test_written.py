"""Results come into their folder together; wherever a run is killed meanwhile, the next one knows what is its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from instanseg_export.errors import OutputError
from instanseg_export.slides.engine.job import Identity, open_job
from instanseg_export.slides.written import check_results, staged_results
from support.processes import environment

IDENTITY: Identity = {"model": {"sha256": "aa" * 32}}
NAMES = ("labels.zarr", "objects.parquet", "overview.png")
STEPS = ("mkdir", "rename", "replace", "rmdir", "unlink")

KILLED = f"""
import os, sys
from pathlib import Path
from slides import test_written
left = int(sys.argv[2])
def counted(step):
    def call(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return step(*arguments, **options)
    return call
for name in {STEPS}:
    setattr(os, name, counted(getattr(os, name)))
test_written.put(Path(sys.argv[1]), "new", overwrite=True)
"""


def put(folder: Path, text: str, *, resume: bool = False, overwrite: bool = False, meanwhile: str = "") -> None:
    """Do what a run does with its folder, but for the tiles; meanwhile somebody puts a file of that name there."""
    in_the_way = check_results(folder, NAMES, resume=resume, overwrite=overwrite)
    with open_job(folder, IDENTITY, resume=resume, overwrite=overwrite) as job:
        with staged_results(job, in_the_way) as made:
            (made.place / "labels.zarr").mkdir()
            for name in ("labels.zarr/c", *NAMES[1:]):
                (made.place / name).write_text(text)
            if meanwhile:
                (folder / meanwhile).write_text('{"mine": true}')
        job.forget_tiles()


def content(folder: Path) -> dict[str, str]:
    """Return what is in a folder, without the record of the run."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "run.json")
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def results(text: str) -> dict[str, str]:
    return dict.fromkeys(("labels.zarr/c", *NAMES[1:]), text)


def test_a_run_that_is_killed_at_any_step_goes_on(tmp_path: Path) -> None:
    """While it replaces older results: they, or the new ones, or nothing of that name, and never a dead end."""
    variables = {**environment(), "PYTHONPATH": os.pathsep.join(sys.path)}
    for step in range(100):
        folder = tmp_path / str(step)
        put(folder, "old")
        command = [sys.executable, "-c", KILLED, str(folder), str(step)]
        status = subprocess.run(command, env=variables, check=False).returncode
        seen = {name: text for name, text in content(folder).items() if not name.startswith("tiles/")}
        assert all(text in ("old", "new") for text in seen.values()), f"killed at step {step}"
        if status == 0:
            break
        assert status == 9
        begun = (folder / "tiles").is_dir()
        put(folder, "new", resume=begun, overwrite=not begun)
        assert content(folder) == results("new"), f"killed at step {step}"
    assert step > 15
    assert content(folder) == results("new")


@pytest.mark.parametrize("name", [*NAMES, "run.json"])
def test_what_is_nobodys_stays(tmp_path: Path, name: str) -> None:
    """There before the run, or since it began; also a record of somebody else."""
    (tmp_path / name).write_text('{"mine": true}')
    for resume, overwrite in ((False, False), (False, True), (True, False)):
        with pytest.raises(OutputError):
            put(tmp_path, "new", resume=resume, overwrite=overwrite)
    assert content(tmp_path) == ({name: '{"mine": true}'} if name != "run.json" else {})
    (tmp_path / name).unlink()
    with pytest.raises(OutputError, match="while the run was under way") as caught:
        put(tmp_path, "new", meanwhile=name)
    assert "--resume" in caught.value.hint
    assert (tmp_path / name).read_text() == '{"mine": true}'
