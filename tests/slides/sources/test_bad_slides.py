"""A slide that is damaged, truncated or no slide gives one clear error, when it is opened or when it is read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from instanseg_export.errors import ImageError
from instanseg_export.images.channels import choose_channels
from instanseg_export.slides.box import Box
from instanseg_export.slides.sources import SlideAddress, open_slide
from support.slides import WRITERS, ome_tiff, ome_zarr, pyramid, svs, tiff_pyramid

LEVELS = pyramid(np.random.default_rng(0).integers(0, 256, (3, 411, 530), dtype=np.uint8))
FILES = {name: writer for name, writer in WRITERS.items() if "Zarr" not in name}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: writer(tmp_path_factory.mktemp("slide"), LEVELS) for name, writer in WRITERS.items()}


def _read_all(path: Path) -> list[np.ndarray]:
    with open_slide(SlideAddress(path)) as source:
        return [source.read(place, level.box, range(3)) for place, level in enumerate(source.info.levels)]


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("part", [0.01, 0.3, 0.6, 0.9, 0.99])
def test_truncated_files(name: str, part: float, written: dict[str, Path], tmp_path: Path) -> None:
    content = written[name].read_bytes()
    path = tmp_path / written[name].name
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ImageError) as error:
        _read_all(path)
    assert path.name in error.value.message
    assert error.value.hint


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("seed", range(12))
def test_damaged_files_are_refused_or_read(name: str, seed: int, written: dict[str, Path], tmp_path: Path) -> None:
    """Nothing but an error of ours, and no pixels of another shape."""
    rng = np.random.default_rng(seed)
    content = bytearray(written[name].read_bytes())
    where = int(rng.integers(0, len(content) - 64)) if seed % 2 else int(rng.integers(0, 3000))
    content[where : where + 48] = rng.bytes(48)
    path = tmp_path / written[name].name
    path.write_bytes(content)
    levels: list[np.ndarray] = []
    with suppress(ImageError):
        levels = _read_all(path)
    assert all(level.ndim == 3 and level.shape[0] == 3 for level in levels)


def test_damaged_pixels_are_refused(tmp_path: Path) -> None:
    import tifffile

    for writer in (ome_tiff, tiff_pyramid, svs):
        path = writer(tmp_path, LEVELS)
        with tifffile.TiffFile(path) as tif:
            start = tif.pages[0].dataoffsets[3]
        with path.open("r+b") as stream:
            stream.seek(start)
            stream.write(b"\xff" * 40)
        with open_slide(SlideAddress(path)) as source:
            source.read(1, Box((0, 0), (50, 50)), [0])
            with pytest.raises(ImageError, match="damaged"):
                source.read(0, source.info.levels[0].box, range(3))


def _lose(path: Path, pattern: str) -> None:
    found = list(path.glob(pattern))
    assert found
    for entry in found:
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _cut(path: Path, pattern: str) -> None:
    found = list(path.glob(pattern))
    assert found
    for entry in found:
        entry.write_bytes(entry.read_bytes()[: entry.stat().st_size // 2])


_NEW = ("OME-Zarr 0.5", "OME-Zarr 0.5 in shards")
_SPOILT: list[tuple[str, Callable[..., None], tuple[str, ...], str]] = [
    *((name, _cut, ("0/c/0/0/*",), "truncated|damaged") for name in _NEW),
    *((name, _lose, ("0/c",), "holds no pixels") for name in _NEW),
    *((name, _lose, ("0/*",), "lacks its finest level") for name in _NEW),
    *((name, _cut, ("0/zarr.json",), "not valid JSON|damaged") for name in _NEW),
    *((name, _lose, ("*",), "no OME-Zarr") for name in _NEW),
    ("OME-Zarr 0.4", _cut, ("0/0.0.*",), "truncated|damaged"),
    ("OME-Zarr 0.4", _lose, ("0/[0-9].*.*",), "holds no pixels"),
    ("OME-Zarr 0.4", _lose, ("0/*",), "lacks its finest level"),
    ("OME-Zarr 0.4", _cut, ("0/.zarray",), "not valid JSON|damaged"),
    ("OME-Zarr 0.4", _lose, ("*",), "no OME-Zarr"),
]


@pytest.mark.parametrize(("name", "spoil", "patterns", "words"), _SPOILT)
def test_spoiled_zarrs(
    name: str,
    spoil: Callable[..., None],
    patterns: tuple[str, ...],
    words: str,
    written: dict[str, Path],
    tmp_path: Path,
) -> None:
    path = tmp_path / written[name].name
    shutil.copytree(written[name], path)
    for pattern in patterns:
        spoil(path, pattern)
    with pytest.raises(ImageError, match=words) as error:
        _read_all(path)
    assert path.name in error.value.message


def test_a_chunk_that_unpacks_to_more_is_refused(tmp_path: Path) -> None:
    import imagecodecs

    path = ome_zarr(tmp_path, LEVELS)
    chunk = path / "0" / "c" / "0" / "0" / "0"
    chunk.write_bytes(imagecodecs.zstd_encode(bytes(50_000_000)))
    with pytest.raises(ImageError, match="unpacks to"):
        _read_all(path)


def test_a_chunk_that_is_a_pipe_is_refused(tmp_path: Path) -> None:
    import os

    path = ome_zarr(tmp_path, LEVELS)
    chunk = path / "0" / "c" / "0" / "0" / "0"
    chunk.unlink()
    os.mkfifo(chunk)
    with pytest.raises(ImageError, match="is a pipe"):
        _read_all(path)


def test_a_collection_of_one_image(tmp_path: Path) -> None:
    """As bioformats2raw writes it."""
    import zarr

    whole = tmp_path / "whole"
    whole.mkdir()
    path = ome_zarr(whole, LEVELS, version="0.4")
    path.rename(whole / "0")
    group = zarr.open_group(whole, mode="a", zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    for read, level in zip(_read_all(whole), LEVELS, strict=True):
        assert np.array_equal(read, level)
    with open_slide(SlideAddress(whole)) as source:
        assert source.info.path == whole


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "no OME-Zarr image"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_bytes(b"hello world" * 100), "of a kind that cannot be read"),
        (lambda path: path.write_bytes(bytes(128) + b"DICM" + bytes(600)), "DICOM|slide|OpenSlide"),
        (lambda path: None, "There is no file"),
    ],
)
def test_what_is_no_slide(make: Callable[[Path], Any], words: str, tmp_path: Path) -> None:
    path = tmp_path / "slide"
    make(path)
    with pytest.raises(ImageError, match=words) as error:
        open_slide(SlideAddress(path))
    assert error.value.hint


def test_a_flat_slide_for_a_model_of_volumes(tmp_path: Path) -> None:
    for path in (ome_tiff(tmp_path, LEVELS), ome_zarr(tmp_path, LEVELS)):
        with pytest.raises(ImageError, match="flat image"):
            open_slide(SlideAddress(path, 3))


def test_more_channels_than_the_model_takes(tmp_path: Path) -> None:
    with (
        open_slide(SlideAddress(ome_tiff(tmp_path, LEVELS))) as source,
        pytest.raises(ImageError, match="has 3 channels, and the model takes 1"),
    ):
        choose_channels(source.info.channel_names, source.info.path, None, 1)
