"""The folder of a run: only the same run goes on in it, and only one at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from instanseg_export.errors import OutputError
from instanseg_export.slides.engine.job import Identity, open_job
from support.processes import environment

IDENTITY: Identity = {
    "model": {"sha256": "aa" * 32},
    "image": {"path": "slide.tif", "bytes": 12},
    "settings": {"seed_threshold": 0.5, "tile": (512, 512)},
}


def begin(folder: Path) -> None:
    """Leave an unfinished run with a tile."""
    with open_job(folder, IDENTITY) as job:
        assert not job.resumed
        job.files.write(3, lambda path: np.savez(path, a=1))


def test_a_resumed_run_finds_its_tiles(tmp_path: Path) -> None:
    begin(tmp_path / "out")
    with open_job(tmp_path / "out", IDENTITY, resume=True) as job:
        assert job.resumed
        assert job.files.finished() == {3}


def test_what_others_put_beside_tiles_stays(tmp_path: Path) -> None:
    begin(tmp_path / "out")
    mine = tmp_path / "out" / "tiles" / "mine.txt"
    mine.write_text("mine")
    with open_job(tmp_path / "out", IDENTITY, overwrite=True) as job:
        assert mine.exists()
        job.forget_tiles()
    assert [path.name for path in mine.parent.iterdir()] == ["mine.txt"]
    mine.unlink()
    mine.parent.rmdir()
    begin(tmp_path / "out")
    with open_job(tmp_path / "out", IDENTITY, resume=True) as job:
        job.forget_tiles()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_run_that_fails_before_its_first_tile_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no worker"), open_job(tmp_path / "a" / "out", IDENTITY):
        raise ValueError("no worker")
    assert not (tmp_path / "a" / "out").exists()


def test_to_resume_what_was_not_begun_begins_it(tmp_path: Path) -> None:
    with open_job(tmp_path / "out", IDENTITY, resume=True) as job:
        assert not job.resumed


def test_an_unfinished_run_is_neither_continued_nor_lost_by_chance(tmp_path: Path) -> None:
    begin(tmp_path / "out")
    with pytest.raises(OutputError, match="holds an unfinished run") as caught, open_job(tmp_path / "out", IDENTITY):
        pass
    assert "--resume" in caught.value.hint
    assert "--overwrite" in caught.value.hint
    with open_job(tmp_path / "out", IDENTITY, overwrite=True) as job:
        assert not job.resumed
        assert job.files.finished() == frozenset()


@pytest.mark.parametrize(
    ("topic", "name", "value", "words"),
    [
        ("model", "sha256", "bb" * 32, "model sha256 was aaaaaaaaaaaa and is bbbbbbbbbbbb"),
        ("image", "bytes", 13, "image bytes was 12 and is 13"),
        ("settings", "seed_threshold", 0.7, "settings seed_threshold was 0.5 and is 0.7"),
        ("settings", "min_size", 10, "settings min_size was not set and is 10"),
        ("grid", "halo", 64, "grid halo was not set and is 64"),
    ],
)
@pytest.mark.parametrize("resume", [True, False])
def test_another_run_is_refused_and_says_where_it_differs(
    tmp_path: Path, topic: str, name: str, value: object, words: str, resume: bool
) -> None:
    begin(tmp_path / "out")
    other = {**IDENTITY, topic: {**IDENTITY.get(topic, {}), name: value}}
    with pytest.raises(OutputError, match=words), open_job(tmp_path / "out", other, resume=resume):
        pass
    with open_job(tmp_path / "out", other, overwrite=True) as job:
        assert job.files.finished() == frozenset()


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    begin(tmp_path / "out")
    code = f"""
from pathlib import Path
from instanseg_export.slides.engine.job import open_job
with open_job(Path({str(tmp_path / "out")!r}), {dict(IDENTITY)!r}, resume=True):
    print("here", flush=True)
    input()
"""
    other = subprocess.Popen(
        [sys.executable, "-c", code], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "here\n"
    for options in ({"resume": True}, {"overwrite": True}, {}):
        with pytest.raises(OutputError, match=rf"Another run is at work in .*: process {other.pid} on "):
            open_job(tmp_path / "out", IDENTITY, **options).__enter__()
    other.kill()
    other.communicate()
    with open_job(tmp_path / "out", IDENTITY, resume=True) as job:
        assert job.files.finished() == {3}


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"format": "instanseg-export tiles 1", "identity": [1]}'])
def test_a_folder_that_is_none_of_ours_stays(tmp_path: Path, content: bytes) -> None:
    tiles = tmp_path / "out" / "tiles"
    tiles.mkdir(parents=True)
    (tiles / "job.json").write_bytes(content)
    (tiles / "00000001.npz").write_bytes(b"precious")
    for options in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(OutputError, match="is not what this version leaves"):
            open_job(tmp_path / "out", IDENTITY, **options).__enter__()
    (tiles / "job.json").unlink()
    with pytest.raises(OutputError, match="is not what this version leaves"):
        open_job(tmp_path / "out", IDENTITY, overwrite=True).__enter__()
    assert (tiles / "00000001.npz").read_bytes() == b"precious"


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a part of its path is a file"):
        open_job(tmp_path / "file" / "out", IDENTITY).__enter__()


def test_tiles_are_forgotten_at_the_end(tmp_path: Path) -> None:
    begin(tmp_path / "out")
    (tmp_path / "out" / "objects.geojson").write_text("{}")
    with open_job(tmp_path / "out", IDENTITY, resume=True) as job:
        job.forget_tiles()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["objects.geojson"]
