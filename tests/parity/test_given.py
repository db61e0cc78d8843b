"""Images that a user gives to ``validate`` and ``bench``: their channels are chosen as for ``run``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from instanseg_export.errors import ImageError
from instanseg_export.parity.given import read_given
from support.hostile_models.parts import write_package


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Four channels with names, for a model of three."""
    planes = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 20, 30), np.uint8)
    names = {"axes": "CYX", "Channel": {"Name": ["DAPI", "CD3", "CD8", "2"]}}
    tifffile.imwrite(tmp_path / "four.ome.tif", planes, ome=True, metadata=names)
    return tmp_path / "four.ome.tif"


@pytest.mark.parametrize(
    ("channels", "seen"),
    [((1, 2, 3), [0, 3, 2]), (("CD8", "DAPI", "DAPI"), [2, 0, 0]), (("4", "1", "CD3"), [3, 0, 1])],
)
def test_channels_by_number_and_by_name(
    tmp_path: Path, stack: Path, channels: tuple[int | str, ...], seen: list[int]
) -> None:
    """A name wins over a number: the fourth channel is called 2."""
    (image,) = read_given([stack], write_package(tmp_path / "package"), channels)
    assert image.array[:, 0, 0].tolist() == seen


@pytest.mark.parametrize(
    "channels", [None, (1, 2), ("CD4", 1, 1), (0, 1, 1), (5, 1, 1), ("٣", 1, 1), ("1" * 5000, 1, 1)]
)
def test_what_does_not_fit_is_refused(tmp_path: Path, stack: Path, channels: tuple[int | str, ...] | None) -> None:
    with pytest.raises(ImageError) as caught:
        read_given([stack], write_package(tmp_path / "package"), channels)
    assert "four.ome.tif" in caught.value.message
    assert "DAPI" in caught.value.hint


@pytest.mark.parametrize("command", ["validate", "bench"])
def test_commands_take_channels(tmp_path: Path, stack: Path, command: str) -> None:
    package = str(write_package(tmp_path / "package"))
    call = [sys.executable, "-m", "instanseg_export", command, package, "--channels", "1", "1", "9"]
    for more, words in (([], "none are given"), (["--images", str(stack)], "has no channel '9'")):
        done = subprocess.run([*call, *more], capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr


def test_what_the_reader_assumed_is_among_the_notes(tmp_path: Path) -> None:
    path = tmp_path / "white.tif"
    tifffile.imwrite(path, np.arange(3 * 20 * 30, dtype=np.uint16).reshape(3, 20, 30), photometric="miniswhite")
    (image,) = read_given([path], write_package(tmp_path / "package"))
    assert any("inverted" in note for note in image.notes)
    assert any("three pages without axes" in note for note in image.notes)
