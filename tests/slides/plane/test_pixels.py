"""A plane is the rescaled image, and its pixels do not depend on how it is cut into tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instanseg_export.errors import ImageError
from instanseg_export.images import Region, read_image, rescale
from instanseg_export.slides.box import Box
from instanseg_export.slides.grid import make_grid
from instanseg_export.slides.plane.levels import lay_plane
from instanseg_export.slides.plane.pixels import Plane
from instanseg_export.slides.sources import GivenArray, SlideAddress, open_slide
from support.slides import ome_tiff, pyramid

RNG = np.random.default_rng(1)
SLIDE = RNG.integers(0, 256, (3, 203, 310), dtype=np.uint8)
VOLUME = RNG.integers(0, 5000, (2, 19, 60, 71), dtype=np.uint16)


def _given(array: np.ndarray, size: float = 0.5, distance: float | None = None, levels: int = 1) -> SlideAddress:
    arrays = tuple(pyramid(array, [2**k for k in range(levels)]))
    return SlideAddress(GivenArray(arrays, pixel_size=(size, size), slice_distance=distance), array.ndim - 1)


@settings(deadline=None, max_examples=40)
@given(
    wanted=st.floats(0.1, 3),
    levels=st.integers(1, 3),
    tile=st.integers(20, 90),
    halo=st.integers(0, 9),
    corner=st.tuples(st.integers(0, 100), st.integers(0, 150)),
    size=st.tuples(st.integers(1, 103), st.integers(1, 160)),
)
def test_tiles_are_parts_of_the_whole(
    wanted: float, levels: int, tile: int, halo: int, corner: tuple[int, int], size: tuple[int, int]
) -> None:
    with open_slide(_given(SLIDE, levels=levels)) as source:
        box = Box(corner, (corner[0] + size[0], corner[1] + size[1]))
        geometry = lay_plane(source.info, box, model_pixel_size=wanted)
        plane = Plane(source, geometry, [2, 0])
        whole = plane.read(geometry.box)
        assert whole.shape == plane.shape
        out = np.full(whole.shape, np.nan, np.float32)
        for one in make_grid(geometry.shape, tile, halo):
            read = plane.read(one.seen)
            assert np.array_equal(read, whole[(slice(None), *one.seen.slices)])
            out[(slice(None), *one.core.slices)] = read[
                (slice(None), *one.core.shifted(tuple(-low for low in one.seen.low)).slices)
            ]
        assert np.array_equal(out, whole), "cores cover the plane"


@settings(deadline=None, max_examples=10)
@given(wanted=st.floats(0.3, 2), slices=st.floats(0.5, 4), tile=st.integers(12, 40), halo=st.integers(0, 5))
def test_blocks_are_parts_of_the_volume(wanted: float, slices: float, tile: int, halo: int) -> None:
    with open_slide(_given(VOLUME, distance=1.5, levels=2)) as source:
        geometry = lay_plane(source.info, model_pixel_size=wanted, model_slice_distance=slices)
        plane = Plane(source, geometry, [1])
        whole = plane.read(geometry.box)
        for one in make_grid(geometry.shape, (12 + 2 * halo, tile, tile), halo):
            assert np.array_equal(plane.read(one.seen), whole[(slice(None), *one.seen.slices)])


@pytest.mark.parametrize("wanted", [0.5, 0.503, 0.37, 0.51, 0.8, 1.0, 2.3, 9.0])
def test_a_plane_of_the_whole_image_is_the_rescaled_image(wanted: float, shared: Path) -> None:
    path = shared / "data" / "examples" / "HE_example.tif"
    image = read_image(path)
    size = image.pixel_size or (0.5, 0.5)
    with open_slide(SlideAddress(path)) as source:
        geometry = lay_plane(source.info, pixel_size=size, model_pixel_size=wanted)
        plane = Plane(source, geometry, range(3)).read(geometry.box)
    close = abs(size[0] / wanted - 1) <= 0.01
    expected = image.array.astype(np.float32) if close else rescale(image.array, size, (wanted, wanted))
    assert plane.shape == expected.shape
    np.testing.assert_allclose(plane, expected, atol=2e-4)


@pytest.mark.parametrize(("wanted", "slices"), [(0.5, 1.5), (0.8, 1.5), (0.5, 2.2), (1.1, 0.9)])
def test_a_plane_of_a_whole_volume_is_the_rescaled_volume(wanted: float, slices: float) -> None:
    with open_slide(_given(VOLUME, distance=1.5)) as source:
        geometry = lay_plane(source.info, model_pixel_size=wanted, model_slice_distance=slices)
        plane = Plane(source, geometry, range(2)).read(geometry.box)
    expected = rescale(VOLUME, (0.5, 0.5), (wanted, wanted), 1.5 / slices)
    assert plane.shape == expected.shape
    np.testing.assert_allclose(plane, expected, rtol=1e-5)


@pytest.mark.parametrize("wanted", [0.5, 0.7, 1.3])
def test_a_plane_of_a_region_is_the_rescaled_region(wanted: float, tmp_path: Path) -> None:
    path = ome_tiff(tmp_path, [SLIDE])
    image = read_image(path, region=Region(31, 47, 120, 99))
    with open_slide(SlideAddress(path)) as source:
        geometry = lay_plane(source.info, Box((31, 47), (151, 146)), model_pixel_size=wanted)
        plane = Plane(source, geometry, range(3)).read(geometry.box)
    expected = rescale(image.array, (0.5, 0.5), (wanted, wanted))
    np.testing.assert_allclose(plane, expected, atol=2e-4)


@pytest.mark.parametrize(
    ("wanted", "level"), [(0.2, 0), (0.5, 0), (0.8, 0), (0.99, 0), (1.0, 1), (1.9, 1), (2.0, 2), (2.01, 2), (7.0, 2)]
)
def test_the_level_is_the_coarsest_with_enough_detail(wanted: float, level: int) -> None:
    with open_slide(_given(SLIDE, levels=3)) as source:
        geometry = lay_plane(source.info, model_pixel_size=wanted)
        assert geometry.level == level
        # 0.99 of the first level's neighbour and 2.01 are within one part in a hundred of a level, and read as it is.
        assert geometry.resampled == (wanted not in (0.5, 1.0, 2.0, 2.01))


def test_a_level_lies_where_full_resolution_does() -> None:
    """A bright square is at the same place whichever level is read."""
    slide = np.zeros((1, 400, 400), np.uint8)
    slide[0, 101:160, 240:300] = 200
    with open_slide(_given(slide, levels=3)) as source:
        for wanted in (0.5, 0.71, 1.0, 1.4, 2.0, 2.9):
            geometry = lay_plane(source.info, Box((50, 61), (333, 399)), model_pixel_size=wanted)
            values = Plane(source, geometry, [0]).read(geometry.box)[0]
            places = np.argwhere(np.ones_like(values)) + 0.5
            centroid = (geometry.to_full(places) * values.reshape(-1, 1)).sum(0) / values.sum()
            assert np.allclose(centroid, (130.5, 270), atol=0.3), wanted
            assert np.allclose(geometry.to_plane(geometry.to_full(places)), places)
            assert geometry.pixel_size is not None
            assert geometry.pixel_size[0] == pytest.approx(wanted, rel=0.01)


def test_what_is_no_number_does_not_spread() -> None:
    slide = RNG.random((2, 120, 130)).astype(np.float32)
    slide[0, 40:50, 40:60] = np.nan
    slide[1, 5, 5] = np.inf
    clean = slide.copy()
    clean[0, 40:50, 40:60] = -3.0
    clean[1, 5, 5] = 0.25
    for wanted in (0.5, 0.9):
        planes = []
        for array in (slide, clean):
            with open_slide(_given(array)) as source:
                geometry = lay_plane(source.info, model_pixel_size=wanted)
                planes.append(Plane(source, geometry, [0, 1], (-3.0, 0.25)).read(geometry.box))
        assert np.array_equal(planes[0], planes[1])


def test_large_numbers_keep_their_digits() -> None:
    slide = np.arange(100 * 100, dtype=np.uint32).reshape(1, 100, 100) + 1_000_000_000
    with open_slide(_given(slide)) as source:
        geometry = lay_plane(source.info, model_pixel_size=0.5)
        assert np.array_equal(Plane(source, geometry, [0]).read(geometry.box), slide)


def test_a_slide_without_a_pixel_size_asks_for_it(tmp_path: Path) -> None:
    with open_slide(SlideAddress(ome_tiff(tmp_path, [SLIDE], None))) as source:
        with pytest.raises(
            ImageError, match=r"does not say its pixel size, and the model is for pixels of 0\.5 µm"
        ) as error:
            lay_plane(source.info, model_pixel_size=0.5)
        assert "--pixel-size" in error.value.hint
        assert not lay_plane(source.info).resampled, "a model for any size takes it as it is"
        assert lay_plane(source.info, pixel_size=(1.0, 1.0), model_pixel_size=0.5).shape == (406, 620)


def test_a_pixel_size_out_of_reason_is_refused() -> None:
    with open_slide(_given(SLIDE, 50.0)) as source, pytest.raises(ImageError, match="too far apart"):
        lay_plane(source.info, model_pixel_size=0.5)
