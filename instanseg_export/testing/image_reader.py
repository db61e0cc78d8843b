"""What every reader of images promises: the planes exactly, what the file says of them, and damage refused in words."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ..errors import ImageError
from ..images import Image, PixelSize, Region, probe_image, read_image
from ..images.readers.registry import IMAGE_READERS, find_reader
from ..images.readers.source import ImageReader
from ..inference.inputs import expand

__all__ = ["ImageReaderSuite"]

Array = npt.NDArray[Any]


class ImageReaderSuite:
    """Tests of an image reader. A subclass has its name in the registry, and writes a file of the format::

        class TestMine(ImageReaderSuite):
            name = "mine"

            def write(self, planes, path):
                path.write_bytes(mine(planes))

    Attributes:
        name: of the reader.
        dtypes: of the images that the format holds.
        channels: numbers of channels that it holds.
        channel_names: that ``write`` gives an image of as many channels; empty if the format has none.
        pixel_size: (y, x) in micrometres that ``write`` states; None if the format has none.
        tolerance: by which values may differ, of formats that lose some.
        volumes: whether the format holds volumes too, which ``write`` then gets as (C, D, H, W).
    """

    name: str
    dtypes: Sequence[str] = ("uint8", "uint16")
    channels: Sequence[int] = (1, 3)
    channel_names: Sequence[str] = ()
    pixel_size: PixelSize | None = None
    tolerance: float = 0.0
    volumes: bool = False

    def write(self, planes: Array, path: Path) -> None:
        """Write planes (C, H, W) to a new file, or folder, whatever its ending."""
        raise NotImplementedError

    @pytest.fixture
    def reader(self) -> ImageReader:
        """The reader itself."""
        return IMAGE_READERS.get(self.name)

    @pytest.fixture
    def planes(self) -> Array:
        """An image of the first type, and of as many channels as there are names, or as the format holds at most."""
        return _draw(self.dtypes[0], len(self.channel_names) or max(self.channels))

    @pytest.fixture
    def path(self, planes: Array, tmp_path: Path) -> Path:
        """The same as a file."""
        self.write(planes, tmp_path / "image")
        return tmp_path / "image"

    def test_it_is_registered_under_its_name(self, reader: ImageReader) -> None:
        assert reader.name == self.name
        assert reader.describes
        assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in reader.suffixes)

    def test_it_recognises_its_files_by_their_content_and_no_others(
        self, reader: ImageReader, path: Path, tmp_path: Path
    ) -> None:
        assert find_reader(path).name == self.name
        assert find_reader(path.rename(tmp_path / "other.txt")).name == self.name
        (tmp_path / "folder").mkdir()
        assert not reader.recognises(tmp_path / "folder", b"")
        for start in (b"nothing", bytes(512), b"\xff" * 512):
            (tmp_path / "file").write_bytes(start)
            assert not reader.recognises(tmp_path / "file", start)

    def test_folders_of_images_hold_its_files(self, reader: ImageReader, path: Path, tmp_path: Path) -> None:
        folder = tmp_path / "images"
        folder.mkdir()
        named = path.rename(folder / f"whole{(reader.suffixes or ('',))[0]}")
        for suffix in reader.suffixes:
            (folder / f"damaged{suffix}").write_bytes(b"nothing")
        (folder / "notes.txt").write_text("nothing")
        found, notes = expand([folder])
        assert found == sorted([named, *(folder / f"damaged{suffix}" for suffix in reader.suffixes)])
        assert notes == [f"{folder}: skipped notes.txt, of no kind that is read here."]

    def test_planes_come_back(self, tmp_path: Path) -> None:
        """The first axis is that of the channels, then come rows and columns."""
        for dtype in self.dtypes:
            for channels in self.channels:
                planes = _draw(dtype, channels)
                path = tmp_path / f"{dtype} {channels}"
                self.write(planes, path)
                image = read_image(path)
                assert image.array.shape == planes.shape
                assert image.array.dtype == planes.dtype
                np.testing.assert_allclose(image.array, planes, atol=self.tolerance, rtol=0)
                assert image.array.flags.c_contiguous
                assert len(image.channel_names) == channels

    def test_it_says_what_the_file_says(self, path: Path) -> None:
        image = read_image(path)
        if self.channel_names:
            assert image.channel_names == tuple(self.channel_names)
        assert image.pixel_size == (None if self.pixel_size is None else pytest.approx(self.pixel_size, rel=1e-3))
        assert image.pixel_size_note.startswith(path.name), "it says where the size is from, or that there is none"
        assert image.path == path

    def test_what_is_known_before_agrees_with_the_whole(self, path: Path) -> None:
        info, image = probe_image(path), read_image(path)
        assert (info.shape, info.dtype) == (image.array.shape, image.array.dtype)
        assert (info.pixel_size, info.pixel_size_note) == (image.pixel_size, image.pixel_size_note)
        assert (info.channel_names, info.path) == (image.channel_names, path)
        assert set(info.notes) <= set(image.notes)

    def test_a_region_is_a_crop_of_the_whole(self, path: Path) -> None:
        image = read_image(path)
        height, width = image.array.shape[-2:]
        order = list(range(len(image.array)))[::-1]
        for y, x, tall, wide in ((0, 0, 1, 1), (3, 5, height // 2, width // 3), (height - 1, 0, 1, width)):
            part = read_image(path, channels=order, region=Region(y, x, tall, wide))
            np.testing.assert_array_equal(part.array, image.array[order][:, y : y + tall, x : x + wide])
            assert part.channel_names == image.channel_names[::-1]

    def test_volumes_are_read_or_refused(self, path: Path, tmp_path: Path) -> None:
        if not self.volumes:
            _assert_refused(path, dimensions=3)
            return
        volume = np.stack([_draw(self.dtypes[0], max(self.channels), seed) for seed in range(4)], axis=1)
        self.write(volume, tmp_path / "volume")
        image = read_image(tmp_path / "volume", 3)
        np.testing.assert_allclose(image.array, volume, atol=self.tolerance, rtol=0)
        part = read_image(tmp_path / "volume", 3, region=Region(2, 3, 5, 7))
        np.testing.assert_array_equal(part.array, image.array[:, :, 2:7, 3:10])
        _assert_refused(tmp_path / "volume", dimensions=2)

    def test_what_is_cut_is_refused(self, path: Path) -> None:
        """Unless all pixels are there; then a note tells what is not."""
        whole = read_image(path)
        longest = max(_files(path), key=lambda file: file.stat().st_size)
        content = longest.read_bytes()
        for part in (0.0, 0.1, 0.5, 0.9):
            longest.write_bytes(content[: int(part * len(content))])
            image = _read_or_refuse(path)
            if image is not None:
                assert part > 0.5
                np.testing.assert_array_equal(image.array, whole.array)
                assert set(image.notes) - set(whole.notes)

    def test_what_is_damaged_is_refused_or_read(self, path: Path, tmp_path: Path) -> None:
        """No error but ours, whatever is wrong: one byte at a time, most of them at the start."""
        random = np.random.default_rng(0)
        refused = 0
        for number in range(60):
            damaged = tmp_path / str(number)
            (shutil.copytree if path.is_dir() else shutil.copy)(path, damaged)
            file = random.choice(np.array(_files(damaged), dtype=object))
            content = bytearray(file.read_bytes())
            content[int(random.random() ** 2 * len(content))] ^= int(random.integers(1, 256))
            file.write_bytes(content)
            refused += _read_or_refuse(damaged) is None
        assert refused

    def test_reading_changes_no_file(self, path: Path) -> None:
        before = {file: file.read_bytes() for file in _files(path)}
        read_image(path)
        assert {file: file.read_bytes() for file in _files(path)} == before


def _draw(dtype: str, channels: int, seed: int = 0) -> Array:
    """Draw waves (C, 20, 30), which formats that lose something keep best; no two planes or axes are alike."""
    rows, columns = np.mgrid[:20, :30]
    waves = [np.sin(rows / (3 + channel)) + np.cos(columns / (4 + channel + seed)) for channel in range(channels)]
    unit = (np.stack(waves) + 2) / 4
    largest = np.iinfo(dtype).max if np.dtype(dtype).kind in "iu" else 1.0
    return (unit * largest).astype(dtype)


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _read_or_refuse(path: Path) -> Image | None:
    """Return the image, or None where it is refused in words."""
    try:
        return read_image(path)
    except ImageError as error:
        _check_words(error, path)
        return None


def _assert_refused(path: Path, dimensions: int = 2) -> None:
    with pytest.raises(ImageError) as caught:
        read_image(path, dimensions)
    _check_words(caught.value, path)


def _check_words(error: ImageError, path: Path) -> None:
    assert str(path) in error.message
    assert error.hint
