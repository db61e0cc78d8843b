"""read_image on real files of four instruments, on every layout of axes that we accept, and on what it must refuse."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from instanseg_export.errors import ImageError
from instanseg_export.images import read_image

RNG = np.random.default_rng(0)
PLANES = RNG.integers(0, 60_000, (3, 20, 30), dtype=np.uint16)


# Real files


def test_h_and_e_ome_tiff(shared: Path) -> None:
    image = read_image(shared / "data/examples/HE_example.tif")
    assert image.array.shape == (3, 1484, 1380)
    assert image.array.dtype == np.uint8
    assert image.pixel_size == pytest.approx((0.5, 0.5), rel=1e-3)
    assert image.channel_names == ("red", "green", "blue")


def test_two_channel_imagej_composite_keeps_intensities_not_its_lookup_table(shared: Path) -> None:
    path = shared / "data/examples/Fluorescence_example.tif"
    image = read_image(path)
    assert image.array.shape == (2, 450, 450)
    assert image.pixel_size is None
    np.testing.assert_array_equal(image.array, tifffile.imread(path))


def test_multiplex_pages_are_channels_and_the_thumbnail_is_ignored(shared: Path) -> None:
    path = shared / "data/multiplex/FIHC4_2_component_data.tif"
    image = read_image(path)
    assert image.array.shape == (5, 260, 348)
    assert image.array.dtype == np.float32
    assert image.pixel_size == pytest.approx((0.497, 0.497), abs=1e-3)
    assert image.channel_names == ("Alexa 594", "Cy3", "Cy5", "DAPI", "FITC")
    np.testing.assert_array_equal(image.array[3], tifffile.imread(path, key=3))


def test_phase_contrast_fields(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "data/usiigaci/usiigaci_train10.zip") as archive:
        names = [name for name in archive.namelist() if name.startswith("images/")]
        archive.extractall(tmp_path, names)
    images = [read_image(tmp_path / name) for name in names]
    assert len(images) == 10
    assert {image.array.shape for image in images} == {(1, 1022, 1024)}
    assert {str(image.array.dtype) for image in images} == {"uint16"}


def test_every_kind_of_data_science_bowl_picture(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "data/dsb2018/dsb2018_train.zip") as archive:
        names = [name for name in archive.namelist() if name.startswith("images/")][::40]
        archive.extractall(tmp_path, names)
    shapes = set()
    for name in names:
        image = read_image(tmp_path / name)
        with Pillow.open(tmp_path / name) as opened:
            expected = np.atleast_3d(np.asarray(opened))
        np.testing.assert_array_equal(image.array, np.moveaxis(expected, -1, 0))
        shapes.add(image.array.shape[0])
    assert shapes == {1, 3}


# Layouts of axes


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (PLANES[0], {"metadata": {"axes": "YX"}}),
        (PLANES, {"metadata": {"axes": "CYX"}, "ome": True}),
        (PLANES, {"metadata": {"axes": "CYX"}, "imagej": True}),
        (PLANES, {"photometric": "minisblack"}),
        (PLANES.transpose(1, 2, 0).copy(), {"photometric": "rgb"}),
        (PLANES, {"photometric": "rgb", "planarconfig": "separate"}),
        (PLANES[None, :, None], {"metadata": {"axes": "TCZYX"}, "ome": True}),
        (PLANES, {"bigtiff": True, "compression": "lzw", "photometric": "minisblack"}),
        (PLANES, {"byteorder": ">", "photometric": "minisblack", "tile": (16, 16)}),
    ],
    ids=["YX", "ome CYX", "imagej CYX", "pages", "YXS", "SYX", "singleton T and Z", "bigtiff lzw", "big-endian tiles"],
)
def test_layout(tmp_path: Path, array: np.ndarray, options: dict[str, Any]) -> None:
    path = tmp_path / ("image.ome.tif" if options.get("ome") else "image.tif")
    tifffile.imwrite(path, array, **options)
    expected = PLANES[:1] if array.ndim == 2 else PLANES
    image = read_image(path)
    np.testing.assert_array_equal(image.array, expected)
    assert len(image.channel_names) == len(expected)


@pytest.mark.parametrize(
    ("axes", "fact", "remedy"),
    [("ZYX", "volume", "slice"), ("TYX", "time series", "time point"), ("TCYX", "time series", "time point")],
)
def test_volumes_and_time_series_are_refused(tmp_path: Path, axes: str, fact: str, remedy: str) -> None:
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, np.zeros((2,) * (len(axes) - 2) + (20, 30), np.uint8), ome=True, metadata={"axes": axes})
    with pytest.raises(ImageError, match=fact) as caught:
        read_image(path)
    assert str(path) in caught.value.message
    assert remedy in caught.value.hint


def test_several_images_of_one_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "fields.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(PLANES[0])
        writer.write(PLANES[1])
    with pytest.raises(ImageError, match="2 images of one size"):
        read_image(path)


def test_only_the_finest_level_of_a_pyramid_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pyramid.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(PLANES, subifds=1, metadata={"axes": "CYX"})
        writer.write(PLANES[:, ::2, ::2], subfiletype=1)
    np.testing.assert_array_equal(read_image(path).array, PLANES)


# Pixel sizes and channel names


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}}, 0.25),
        (
            {
                "ome": True,
                "metadata": {
                    "PhysicalSizeX": 250,
                    "PhysicalSizeXUnit": "nm",
                    "PhysicalSizeY": 250,
                    "PhysicalSizeYUnit": "nm",
                },
            },
            0.25,
        ),
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}}, (0.5, 0.25)),
        ({"ome": True}, None),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "um"}}, 0.25),
        ({"imagej": True, "resolution": (4000, 4000), "metadata": {"unit": "mm"}}, 0.25),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "pixel"}}, None),
        ({"resolution": (40_000, 40_000), "resolutionunit": "CENTIMETER"}, 0.25),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
        ({"resolution": (1, 1), "resolutionunit": "NONE"}, None),
        ({"description": "Aperio Image Library v1\r\n20x30|AppMag = 40|MPP = 0.2500"}, 0.25),
    ],
)
def test_pixel_size(tmp_path: Path, options: dict[str, Any], expected: float | tuple[float, float] | None) -> None:
    path = tmp_path / ("image.ome.tif" if options.get("ome") else "image.tif")
    tifffile.imwrite(path, PLANES[0], **options)
    size = (expected, expected) if isinstance(expected, float) else expected
    assert read_image(path).pixel_size == (None if size is None else pytest.approx(size))


@pytest.mark.parametrize(
    "options",
    [
        {"ome": True, "metadata": {"axes": "CYX", "Channel": {"Name": ["DAPI", "CD3", "CD8"]}}},
        {"imagej": True, "metadata": {"axes": "CYX", "Labels": ["DAPI", "CD3", "CD8"]}},
    ],
)
def test_channel_names(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / ("image.ome.tif" if options.get("ome") else "image.tif")
    tifffile.imwrite(path, PLANES, **options)
    assert read_image(path).channel_names == ("DAPI", "CD3", "CD8")


# Pictures


def test_opaque_alpha_is_dropped_and_real_transparency_refused(tmp_path: Path) -> None:
    rgba = RNG.integers(0, 255, (20, 30, 4), dtype=np.uint8)
    rgba[..., 3] = 255
    Pillow.fromarray(rgba).save(tmp_path / "opaque.png")
    tifffile.imwrite(tmp_path / "opaque.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    for name in ("opaque.png", "opaque.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name).array, np.moveaxis(rgba[..., :3], -1, 0))
    rgba[3, 4, 3] = 7
    Pillow.fromarray(rgba).save(tmp_path / "glass.png")
    with pytest.raises(ImageError, match="transparent"):
        read_image(tmp_path / "glass.png")


def test_sixteen_bits_survive_in_grey_and_colour_png(tmp_path: Path) -> None:
    import imagecodecs

    Pillow.fromarray(PLANES[0]).save(tmp_path / "grey.png")
    (tmp_path / "colour.png").write_bytes(imagecodecs.png_encode(PLANES.transpose(1, 2, 0).copy()))
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png").array, PLANES[:1])
    np.testing.assert_array_equal(read_image(tmp_path / "colour.png").array, PLANES)


@pytest.mark.parametrize(("suffix", "channels"), [("jpg", 3), ("bmp", 3), ("gif", 3), ("webp", 3), ("jp2", 3)])
def test_common_formats(tmp_path: Path, suffix: str, channels: int) -> None:
    path = tmp_path / f"picture.{suffix}"
    Pillow.fromarray(RNG.integers(0, 255, (20, 30, 3), dtype=np.uint8)).save(path)
    assert read_image(path).array.shape == (channels, 20, 30)


# OME-Zarr


def _ome_zarr(path: Path, version: str, *, axes: str = "cyx", array: np.ndarray = PLANES) -> Path:
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    for level, step in enumerate((1, 2)):
        group.create_array(str(level), data=array[..., ::step, ::step])
    kinds = {"t": "time", "z": "space", "c": "channel", "y": "space", "x": "space"}
    attributes: dict[str, Any] = {
        "multiscales": [
            {
                "version": version,
                "axes": [
                    {"name": a, "type": kinds[a], **({"unit": "micrometer"} if kinds[a] == "space" else {})}
                    for a in axes
                ],
                "datasets": [
                    {
                        "path": str(level),
                        "coordinateTransformations": [
                            {"type": "scale", "scale": [0.5 * step if a in "yx" else 1.0 for a in axes]}
                        ],
                    }
                    for level, step in enumerate((1, 2))
                ],
            }
        ],
        "omero": {"channels": [{"label": name} for name in ("DAPI", "CD3", "CD8")]},
    }
    group.attrs.update(attributes if version == "0.4" else {"ome": {"version": version, **attributes}})
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["cyx", "tczyx"])
def test_ome_zarr(tmp_path: Path, version: str, axes: str) -> None:
    pytest.importorskip("zarr")
    array = PLANES if axes == "cyx" else PLANES[None, :, None]
    image = read_image(_ome_zarr(tmp_path / "image.zarr", version, axes=axes, array=array))
    np.testing.assert_array_equal(image.array, PLANES)
    assert image.pixel_size == pytest.approx((0.5, 0.5))
    assert image.channel_names == ("DAPI", "CD3", "CD8")


def test_ome_zarr_volume_and_plate_are_refused(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    with pytest.raises(ImageError, match="volume"):
        read_image(_ome_zarr(tmp_path / "volume.zarr", "0.4", axes="zyx"))
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w")
    plate.attrs["ome"] = {"plate": {"wells": []}}
    with pytest.raises(ImageError, match="plate"):
        read_image(tmp_path / "plate.zarr")


def test_ome_zarr_without_the_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "image.zarr").mkdir()
    (tmp_path / "image.zarr/zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    with pytest.raises(ImageError) as caught:
        read_image(tmp_path / "image.zarr")
    assert "instanseg-export[scale]" in caught.value.hint


# What is refused


def _tiff_bytes() -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, PLANES, photometric="minisblack")
    return stream.getvalue()


def _png_bytes() -> bytes:
    stream = io.BytesIO()
    Pillow.fromarray(PLANES[0]).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "fact"),
    [
        ("empty.tif", b"", "empty"),
        ("truncated.tif", _tiff_bytes()[:2000], "truncated"),
        ("header.tif", _tiff_bytes()[:8], "header.tif"),
        ("truncated.png", _png_bytes()[:300], "damaged"),
        ("text.png", b"this is not a picture at all", "kind that cannot be read"),
        ("volume.h5", b"\x89HDF\r\n\x1a\n" + bytes(64), "kind that cannot be read"),
    ],
)
def test_damaged_files_are_named_with_the_fact(tmp_path: Path, name: str, content: bytes, fact: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ImageError, match=fact) as caught:
        read_image(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_tiff_cut_anywhere_gives_its_pixels_or_an_error_never_zeros(tmp_path: Path) -> None:
    whole = _tiff_bytes()
    path = tmp_path / "cut.tif"
    refused = 0
    for size in range(1, len(whole), 37):
        path.write_bytes(whole[:size])
        try:
            image = read_image(path)
        except ImageError:
            refused += 1
        else:
            np.testing.assert_array_equal(image.array, PLANES)
    assert refused > len(whole) // 37 * 0.9


def test_missing_file_and_plain_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="There is no file"):
        read_image(tmp_path / "none.tif")
    with pytest.raises(ImageError, match="folder"):
        read_image(tmp_path)


def test_an_image_that_claims_more_than_its_file_holds_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    tifffile.imwrite(path, PLANES[0], metadata=None)
    with tifffile.TiffFile(path, mode="r+") as tif:
        for tag in ("ImageWidth", "ImageLength"):
            tif.pages.first.tags[tag].overwrite(2**21)
    with pytest.raises(ImageError, match="should have 104858 strips or tiles, and lists 1"):
        read_image(path)
