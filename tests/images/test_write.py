"""Label files, overlays and resampling."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from instanseg_export.errors import ImageError, OutputError
from instanseg_export.images import overlay, read_image, rescale, rescale_labels, write_labels


def _two_structures() -> np.ndarray:
    labels = np.zeros((2, 40, 50), np.int64)
    labels[0, 5:12, 6:14] = 1
    labels[0, 20:30, 30:41] = 2
    labels[1, 3:15, 4:18] = 1
    labels[1, 18:33, 27:45] = 2
    return labels


# Label files


@pytest.mark.parametrize(
    ("largest", "dtype"), [(2, "uint16"), (65_535, "uint16"), (65_536, "float32"), (2**24 + 3, "uint32")]
)
def test_labels_come_back_exactly_in_the_smallest_type(tmp_path: Path, largest: int, dtype: str) -> None:
    labels = _two_structures()
    labels[labels == 2] = largest
    path = tmp_path / "labels.tif"
    write_labels(path, labels, 0.5)
    image = read_image(path)
    assert str(image.array.dtype) == dtype
    np.testing.assert_array_equal(image.array.astype(np.int64), labels)
    assert image.pixel_size == pytest.approx((0.5, 0.5), rel=1e-4)


def test_the_file_is_an_imagej_hyperstack_with_named_pages(tmp_path: Path) -> None:
    path = tmp_path / "labels.tif"
    write_labels(path, _two_structures(), 0.5, names=("nuclei", "cells"))
    with tifffile.TiffFile(path) as tif:
        assert tif.imagej_metadata is not None
        assert tif.imagej_metadata["channels"] == 2
        assert tif.imagej_metadata["Labels"] == ["nuclei", "cells"]
        assert tif.imagej_metadata["unit"] == "micron"
        assert tif.pages.first.compression == tifffile.COMPRESSION.ADOBE_DEFLATE


@pytest.mark.parametrize("shape", [(1, 40, 50), (1, 1, 1), (3, 7, 9)])
def test_any_number_of_structures(tmp_path: Path, shape: tuple[int, ...]) -> None:
    labels = np.arange(np.prod(shape)).reshape(shape)
    write_labels(tmp_path / "labels.tif", labels, None)
    np.testing.assert_array_equal(read_image(tmp_path / "labels.tif").array, labels)
    assert read_image(tmp_path / "labels.tif").pixel_size is None


def test_same_labels_same_bytes(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        write_labels(tmp_path / name, _two_structures(), 0.5)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "labels.tif"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists"):
        write_labels(path, _two_structures(), None)
    assert path.read_bytes() == b"precious"
    with pytest.raises(OutputError, match="did not write it"):
        write_labels(path, _two_structures(), None, overwrite=True)
    assert path.read_bytes() == b"precious"
    path.unlink()
    write_labels(path, _two_structures() * 0, None)
    write_labels(path, _two_structures(), None, overwrite=True)
    assert read_image(path).array.max() == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["labels.tif"]


# Overlays


def test_outlines_lie_on_the_instances_edges_and_nowhere_else() -> None:
    labels = _two_structures()[:1]
    picture = overlay(np.zeros((1, 40, 50), np.uint8), labels)
    assert picture.shape == (40, 50, 3)
    assert picture.dtype == np.uint8
    drawn = picture.any(axis=-1)
    inside = np.zeros((40, 50), bool)
    inside[6:11, 7:13] = True
    inside[21:29, 31:40] = True
    np.testing.assert_array_equal(drawn, (labels[0] > 0) & ~inside)
    assert (picture[5, 6] != picture[20, 30]).any(), "two instances share a colour"


def test_two_structures_have_two_styles_in_the_same_colour() -> None:
    labels = _two_structures()
    picture = overlay(np.zeros((1, 40, 50), np.uint8), labels)
    nucleus = picture[5, 6:14]
    cell = picture[3, 4:18]
    assert (nucleus == nucleus[0]).all(), "a nucleus has a solid outline"
    assert {tuple(pixel) for pixel in cell} == {(0, 0, 0), tuple(nucleus[0])}, "a cell has a dashed one"


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 9])
def test_pictures_of_any_channel_count_use_the_whole_range(channels: int) -> None:
    image = np.random.default_rng(0).normal(1000, 50, (channels, 64, 64)).astype(np.float32)
    image[0, 0, 0], image[0, 0, 1] = np.nan, np.inf
    picture = overlay(image, np.zeros((1, 64, 64)))
    assert picture.max() > 200
    assert np.unique(picture).size > 100


def test_a_constant_image_and_a_single_pixel_can_be_drawn() -> None:
    assert overlay(np.full((3, 8, 8), 7, np.uint16), np.ones((1, 8, 8))).shape == (8, 8, 3)
    assert overlay(np.ones((1, 1, 1), np.float32), np.zeros((1, 1))).shape == (1, 1, 3)


def test_real_image_with_its_real_labels(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "data/usiigaci/usiigaci_train10.zip") as archive:
        archive.extractall(tmp_path, ["images/set1.tif", "labels/set1.png"])
    image = read_image(tmp_path / "images/set1.tif").array
    labels = read_image(tmp_path / "labels/set1.png").array
    plain, drawn = overlay(image, np.zeros_like(labels)), overlay(image, labels)
    changed = (plain != drawn).any(axis=-1)
    assert 0 < changed.sum() < (labels > 0).sum()
    assert not changed[labels[0] == 0].any()


# Resampling


def test_rescale_keeps_mean_and_range_and_gives_the_rounded_size() -> None:
    image = np.random.default_rng(0).integers(0, 60_000, (2, 101, 80)).astype(np.uint16)
    for to_um, shape in ((1.0, (2, 50, 40)), (0.25, (2, 202, 160)), (0.5, (2, 101, 80))):
        result = rescale(image, (0.5, 0.5), (to_um, to_um))
        assert result.shape == shape
        assert result.dtype == np.float32
        assert result.mean() == pytest.approx(image.mean(), rel=0.01)
        assert result.min() >= image.min()
        assert result.max() <= image.max()


def test_rescaling_does_not_shift_the_image() -> None:
    image = np.zeros((1, 120, 120), np.float32)
    image[0, 40:60, 70:90] = 1
    for to_um in (0.25, 0.7, 1.0, 2.0):
        result = rescale(image, (0.5, 0.5), (to_um, to_um))[0]
        rows, columns = np.indices(result.shape)
        centre = ((rows * result).sum() / result.sum() + 0.5, (columns * result).sum() / result.sum() + 0.5)
        assert np.array(centre) * to_um / 0.5 == pytest.approx((50, 80), abs=0.5)


@given(st.integers(2, 60), st.integers(2, 60), st.floats(0.1, 2), st.floats(0.1, 2))
def test_each_axis_has_its_own_factor(height: int, width: int, y: float, x: float) -> None:
    rows = np.repeat(np.arange(height, dtype=np.float32)[None, :, None], width, axis=2)
    result = rescale(rows, (y, x), (0.5, 0.5))
    assert result.shape == (1, max(1, round(height * y / 0.5)), max(1, round(width * x / 0.5)))
    assert np.ptp(result, axis=2).max() < 1e-3 * height  # nothing of one axis gets into the other


def test_an_absurd_pixel_size_is_refused() -> None:
    with pytest.raises(ImageError, match="too far apart") as caught:
        rescale(np.zeros((1, 10, 10)), (352.8, 352.8), (0.5, 0.5))
    assert "--pixel-size" in caught.value.hint
    with pytest.raises(ImageError, match=r"0\.5 x 352\.8 µm"):
        rescale(np.zeros((1, 10, 10)), (0.5, 352.8), (0.5, 0.5))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**31))
def test_labels_back_and_forth(height: int, width: int, new_height: int, new_width: int, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 30, (2, height, width))
    result, lost = rescale_labels(labels, (new_height, new_width))
    assert result.shape == (2, new_height, new_width)
    assert set(np.unique(result)) | set(lost) | {0} == set(np.unique(labels)) | {0}
    assert not set(lost) & set(np.unique(result))
    if new_height >= height and new_width >= width:
        assert lost == []
        back, _ = rescale_labels(result, (height, width))
        np.testing.assert_array_equal(back, labels)
