"""Every source gives the same pixels, levels and facts, whatever the format."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instanseg_export.errors import ImageError
from instanseg_export.images import read_image
from instanseg_export.slides.box import Box
from instanseg_export.slides.sources import GivenArray, SlideAddress, SlideSource, open_slide
from support.slides import WRITERS, halved, ome_tiff, ome_zarr, pyramid, tiff_pyramid

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (3, 411, 530), dtype=np.uint8)
LEVELS = pyramid(PIXELS)


@pytest.fixture(scope="module", params=sorted(WRITERS))
def slide(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = WRITERS[request.param](tmp_path_factory.mktemp("slide"), LEVELS)
    with open_slide(SlideAddress(path)) as source:
        yield source


def test_levels_and_facts(slide: SlideSource) -> None:
    assert [level.shape for level in slide.info.levels] == [level.shape for level in LEVELS]
    assert [level.downsample for level in slide.info.levels] == [(1, 1), (2, 2), (4, 4)]
    assert slide.info.pixel_size == pytest.approx((0.5, 0.5), rel=1e-6)
    assert len(slide.info.channel_names) == 3
    assert slide.info.dtype == np.uint8
    assert not slide.found


def test_any_part_of_any_level_is_what_was_written(slide: SlideSource) -> None:
    @settings(deadline=None, max_examples=50)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        level = data.draw(st.integers(0, 2))
        expected = LEVELS[level]
        spans = [
            sorted(data.draw(st.lists(st.integers(0, size), min_size=2, max_size=2))) for size in expected.shape[1:]
        ]
        channels = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=4))
        box = Box((spans[0][0], spans[1][0]), (spans[0][1], spans[1][1]))
        assert np.array_equal(slide.read(level, box, channels), expected[channels][(slice(None), *box.slices)])

    check()


def test_what_lies_outside_is_refused(slide: SlideSource) -> None:
    for box in (Box((0, 0), (412, 10)), Box((-1, 0), (5, 5)), Box((0, 500), (10, 531))):
        with pytest.raises(ValueError, match="are not in level 0"):
            slide.read(0, box, [0])
    with pytest.raises(ValueError, match="are not in level 0"):
        slide.read(0, Box((0, 0), (5, 5)), [3])


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("writer", [ome_tiff, ome_zarr])
def test_types_are_kept(writer: Any, dtype: Any, tmp_path: Path) -> None:
    levels = [level.astype(dtype) * 100 for level in LEVELS]
    with open_slide(SlideAddress(writer(tmp_path, levels))) as source:
        assert source.info.dtype == dtype
        assert np.array_equal(source.read(1, source.info.levels[1].box, [2, 0]), levels[1][[2, 0]])


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize(
    "options", [{"tile": None, "compression": None}, {"tile": (32, 48)}, {"rowsperstrip": 7, "tile": None}]
)
def test_ways_of_storing(options: dict[str, Any], byteorder: Literal["<", ">"], tmp_path: Path) -> None:
    """Also a strip that holds the whole of a large image, of which only the rows that are needed are read."""
    import tifffile

    pixels = RNG.integers(0, 60000, (2, 900, 1000), dtype=np.uint16)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, byteorder=byteorder, metadata={"axes": "CYX"}, photometric="minisblack", **options)
    with open_slide(SlideAddress(path)) as source:
        for box in (Box((0, 0), (900, 1000)), Box((333, 17), (700, 999)), Box((899, 999), (900, 1000))):
            assert np.array_equal(source.read(0, box, [1, 0]), pixels[[1, 0]][(slice(None), *box.slices)])


def test_levels_that_skip_factors(tmp_path: Path) -> None:
    """As scanners write them: 1, 4, 16, 32."""
    pixels = RNG.integers(0, 256, (3, 1300, 1700), dtype=np.uint8)
    levels = pyramid(pixels, (1, 4, 16, 32))
    with open_slide(SlideAddress(tiff_pyramid(tmp_path, levels))) as source:
        assert [level.downsample for level in source.info.levels] == [(1, 1), (4, 4), (16, 16), (32, 32)]
        assert np.array_equal(source.read(3, source.info.levels[3].box, range(3)), levels[3])


@pytest.mark.parametrize("writer", [ome_tiff, ome_zarr])
def test_volumes(writer: Any, tmp_path: Path) -> None:
    volume = RNG.integers(0, 60000, (2, 9, 150, 170), dtype=np.uint16)
    levels = [volume, halved(volume)]
    with open_slide(SlideAddress(writer(tmp_path, levels), 3)) as source:
        assert [level.downsample for level in source.info.levels] == [(1, 1, 1), (1, 2, 2)]
        assert source.info.slice_distance == 1.0
        for level, box in ((0, Box((2, 10, 20), (7, 150, 99))), (1, Box((8, 0, 0), (9, 75, 85)))):
            assert np.array_equal(source.read(level, box, [1]), levels[level][1:][(slice(None), *box.slices)])


@pytest.mark.parametrize("kind", ["numpy", "zarr", "dask", "memory-mapped"])
def test_arrays(kind: str, tmp_path: Path) -> None:
    levels: list[Any] = list(LEVELS)
    if kind == "zarr":
        import zarr

        levels = [zarr.array(level, store=str(tmp_path / str(k)), chunks=(1, 50, 50)) for k, level in enumerate(levels)]
    elif kind == "dask":
        import dask.array

        from_array: Any = dask.array.from_array
        levels = [from_array(level, chunks=(1, 100, 100)) for level in levels]
    elif kind == "memory-mapped":
        for k, level in enumerate(levels):
            np.save(tmp_path / f"{k}.npy", level)
        levels = [np.load(tmp_path / f"{k}.npy", mmap_mode="r") for k in range(3)]
    address = SlideAddress(GivenArray(tuple(levels), pixel_size=(0.5, 0.5), channel_names=("a", "b", "c")))
    sent = pickle.loads(pickle.dumps(address.for_workers(tmp_path)))
    if kind == "numpy":
        assert len(pickle.dumps(address.for_workers(tmp_path))) < 2000, "an array travels as a file"
    for one in (address, sent):
        with open_slide(one) as source:
            assert source.info.channel_names == ("a", "b", "c")
            assert source.info.pixel_size == (0.5, 0.5)
            for level, box in ((0, Box((5, 7), (300, 500))), (2, Box((0, 0), (102, 132)))):
                expected = LEVELS[level][[2, 0]][(slice(None), *box.slices)]
                assert np.array_equal(source.read(level, box, [2, 0]), expected)


@pytest.mark.parametrize(
    ("shape", "axes", "dimensions", "expected"),
    [
        ((40, 50), "", 2, (1, 40, 50)),
        ((40, 50, 3), "yxc", 2, (3, 40, 50)),
        ((7, 40, 50), "", 3, (1, 7, 40, 50)),
        ((2, 7, 40, 50), "", 3, (2, 7, 40, 50)),
        ((7, 2, 40, 50), "zcyx", 3, (2, 7, 40, 50)),
    ],
)
def test_axes_of_arrays(shape: tuple[int, ...], axes: str, dimensions: int, expected: tuple[int, ...]) -> None:
    array = RNG.integers(0, 256, shape, dtype=np.uint8)
    with open_slide(SlideAddress(GivenArray((array,), axes), dimensions)) as source:
        assert source.info.shape == expected
        read = source.read(0, source.info.levels[0].box, range(expected[0]))
    order = [axes.index(axis) for axis in "czyx" if axis in axes] if axes else range(array.ndim)
    assert np.array_equal(read, array.transpose(list(order)).reshape(expected))


@pytest.mark.parametrize(
    ("given_array", "words"),
    [
        (GivenArray((np.zeros((2, 3, 4, 5)),)), "not those of an image"),
        (GivenArray((np.zeros((4, 5)),), "yq"), "not those of an image"),
        (GivenArray((np.zeros((0, 5)),)), "shape"),
        (GivenArray((np.zeros((4, 5), complex),)), "complex"),
        (GivenArray((np.zeros((4, 5)), np.zeros((4, 5)))), "no pyramid"),
        (GivenArray((np.zeros((4, 5)), np.zeros((2, 2), np.uint8))), "no pyramid"),
        (GivenArray((np.zeros((2, 4, 5)),), channel_names=("a",)), "names of channels"),
    ],
)
def test_arrays_that_are_no_image(given_array: GivenArray, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        open_slide(SlideAddress(given_array))


def test_one_of_several_images(tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        for level in LEVELS[0][:2]:
            tif.write(level, metadata={"axes": "YX"})
    with pytest.raises(ImageError, match="holds 2 images of one size"):
        open_slide(SlideAddress(path))
    for series in range(2):
        with open_slide(SlideAddress(path, series=series)) as source:
            assert np.array_equal(source.read(0, source.info.levels[0].box, [0])[0], LEVELS[0][series])
    with pytest.raises(ImageError, match="has no image 2"):
        open_slide(SlideAddress(path, series=2))


def test_pictures_are_read_whole(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "a.png"
    Image.fromarray(np.moveaxis(PIXELS, 0, -1)).save(path)
    with open_slide(SlideAddress(path)) as source:
        assert np.array_equal(source.read(0, Box((3, 4), (100, 90)), [1]), PIXELS[1:2, 3:100, 4:90])


def test_a_real_slide_is_what_the_reader_of_images_reads(shared: Path) -> None:
    path = shared / "data" / "examples" / "HE_example.tif"
    image = read_image(path)
    with open_slide(SlideAddress(path)) as source:
        assert source.info.pixel_size == image.pixel_size
        assert source.info.channel_names == image.channel_names
        assert np.array_equal(source.read(0, source.info.levels[0].box, range(3)), image.array)


def test_identity_tells_slides_apart(tmp_path: Path) -> None:
    """And what was changed from what it was."""
    (tmp_path / "b").mkdir()
    paths = [ome_tiff(tmp_path, LEVELS), ome_tiff(tmp_path / "b", pyramid(PIXELS + 1)), ome_zarr(tmp_path, LEVELS)]
    found = [SlideAddress(path).identity() for path in paths]
    arrays = [SlideAddress(GivenArray((array,))) for array in (PIXELS, PIXELS + 1)]
    found += [address.identity() for address in arrays]
    assert len(set(found)) == 5
    assert SlideAddress(paths[0]).identity() == found[0]
    assert arrays[0].for_workers(tmp_path).identity() == found[3]
    with paths[0].open("r+b") as stream:
        stream.seek(2000)
        stream.write(b"xxxx")
    assert SlideAddress(paths[0]).identity() != found[0]
