"""Folders of images for calibration and with labels: nothing in them is left out silently, and no pipe is opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from instanseg_export.errors import ImageError
from instanseg_export.images.image_sets import read_calibration, read_labelled

ODD: dict[str, Callable[[Path], None]] = {
    "a pipe": os.mkfifo,
    "There is no file": lambda path: path.symlink_to(path.parent / "gone"),
    "cannot be opened": lambda path: path.symlink_to(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("words", ODD)
def test_what_is_no_regular_file_is_named(tmp_path: Path, words: str) -> None:
    image = np.arange(3 * 32 * 32, dtype=np.uint8).reshape(3, 32, 32)
    for folder in (tmp_path, tmp_path / "images", tmp_path / "labels"):
        folder.mkdir(exist_ok=True)
    for path in (tmp_path / "a.tif", tmp_path / "images" / "a.tif"):
        tifffile.imwrite(path, image, photometric="minisblack", metadata={"axes": "CYX"})
    tifffile.imwrite(tmp_path / "labels" / "a.tif", image[0])
    (tmp_path / "notes.txt").write_text("no image")
    assert read_calibration(tmp_path, 3).names == ("a.tif",)
    assert len(read_labelled(tmp_path, 3, 1)) == 1
    ODD[words](tmp_path / "b.tif")
    ODD[words](tmp_path / "labels" / "b.tif")
    with pytest.raises(ImageError, match=words):
        read_calibration(tmp_path, 3)
    with pytest.raises(ImageError, match=words):
        read_labelled(tmp_path, 3, 1)
