"""A tile's file is there as a whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from instanseg_export.errors import ImageError, OutputError
from instanseg_export.slides.engine.tile_files import TileFiles
from instanseg_export.slides.engine.work import TileReport


@pytest.fixture
def files(tmp_path: Path) -> TileFiles:
    """Tiles 1 and 2 of a run."""
    files = TileFiles(tmp_path)
    for index in (1, 2):
        files.write(index, lambda path: np.savez(path, a=np.arange(5000)))
    return files


def test_a_file_that_could_not_be_finished_is_not_there(files: TileFiles) -> None:
    def fail(error: Exception, path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    with pytest.raises(ImageError):
        files.write(3, lambda path: fail(ImageError("no", hint="no"), path))
    with pytest.raises(OutputError, match=r"The disk is full: .*00000003.npz was not written"):
        files.write(3, lambda path: fail(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), path))
    with pytest.raises(KeyboardInterrupt):
        files.write(3, lambda path: fail(KeyboardInterrupt(), path))  # type: ignore[arg-type]
    assert sorted(path.name for path in files.folder.iterdir()) == ["00000001.npz", "00000002.npz"]


@pytest.mark.parametrize("damage", ["cut", "zeros", "flipped", "empty"])
def test_damaged_and_half_written_files_are_done_again(files: TileFiles, damage: str) -> None:
    content = bytearray(files.path(2).read_bytes())
    if damage == "cut":
        del content[-100:]
    elif damage == "empty":
        content.clear()
    else:
        content[1000:1100] = bytes(100) if damage == "zeros" else bytes(255 - byte for byte in content[1000:1100])
    files.path(2).write_bytes(content)
    (files.folder / f".00000007-{'ab' * 16}.npz").write_bytes(b"half")
    (files.folder / "mine.npz").write_bytes(b"not a tile")
    assert files.finished() == {1}
    assert sorted(path.name for path in files.folder.iterdir()) == ["00000001.npz", "mine.npz"]


def test_a_file_is_replaced_by_the_same(files: TileFiles) -> None:
    before = files.path(1).read_bytes()
    files.write(1, lambda path: np.savez(path, a=np.arange(5000)))
    assert files.path(1).read_bytes() == before


def test_the_journal_is_read_as_far_as_it_goes(files: TileFiles) -> None:
    files.note(TileReport(1, counts={"objects": 3}, seconds=1.5, worker="tcp://a"))
    files.note(TileReport(4, "tile", "its block is damaged"))
    files.note(TileReport(5, "killer", "4 workers died"))
    files.note(TileReport(4, counts={"objects": 1}))
    with (files.folder / "journal.jsonl").open("a") as stream:
        stream.write('[]\n{"tile": "x"}\n{"tile": 9, "counts": 5}\n{"tile": 1e999}\n\n{"tile": 8, "cou')
    noted = files.noted()
    assert sorted(noted) == [1, 4, 5]
    assert noted[1] == TileReport(1, counts={"objects": 3.0}, seconds=1.5, worker="tcp://a")
    assert (noted[4].fault, noted[4].counts) == ("", {"objects": 1.0})
    assert noted[5].fault == "killer"
    assert TileFiles(files.folder / "elsewhere").noted() == {}


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        TileFiles(tmp_path / "gone").finished()
    with pytest.raises(OutputError, match="does not exist"):
        TileFiles(tmp_path / "gone").note(TileReport(1))
