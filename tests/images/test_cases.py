"""The shared files as people's tools write them: what is right of each, through the reader and through ``run``."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import instanseg_export
from instanseg_export.errors import ImageError
from instanseg_export.images import read_image


@pytest.fixture(scope="module")
def cases(shared: Path) -> Path:
    folder = shared / "cases"
    if not folder.is_dir():
        pytest.skip(f"needs the shared images of {folder}")
    return folder


@pytest.mark.parametrize(
    ("name", "shape", "says"),
    [
        ("channels/two_last_default.tif", (2, 200, 256), "2 channels last"),
        ("channels/two_last_contig.tif", (2, 200, 256), "2 grey samples"),
        ("channels/four_last_contig.tif", (4, 200, 256), "4 grey samples"),
        ("pages/three_pages_no_axes.tif", (3, 256, 256), "three pages without axes: they were taken for channels"),
        ("photometric/fl_miniswhite.tif", (1, 256, 256), "inverted"),
        ("series/overview_first.ome.tif", (3, 200, 256), "2 images: the largest"),
        ("multifile/packed/ch0.ome.tif", (3, 200, 256), ""),
        ("zarr/global_scale.zarr", (2, 256, 256), ""),
    ],
)
def test_planes_and_what_is_said(cases: Path, name: str, shape: tuple[int, ...], says: str) -> None:
    image = read_image(cases / name)
    assert image.array.shape == shape
    assert says in "\n".join(image.notes)
    assert bool(says) == bool(image.notes)


def test_pixels_are_those_of_the_images_that_the_cases_were_made_of(cases: Path) -> None:
    grey, colour = tifffile.imread(cases / "fl.tif"), np.moveaxis(tifffile.imread(cases / "he.tif"), -1, 0)
    np.testing.assert_array_equal(read_image(cases / "photometric/fl_miniswhite.tif").array, grey[None])
    np.testing.assert_array_equal(read_image(cases / "series/overview_first.ome.tif").array, colour)
    for name in ("ij_nanometre.tif", "ij_micrometre.tif", "ome_anisotropic.ome.tif", "olympus_sis.tif"):
        np.testing.assert_array_equal(read_image(cases / "units" / name).array, grey[None])
    for name in ("two_last_contig.tif", "two_last_default.tif", "four_last_contig.tif"):
        written = np.moveaxis(tifffile.imread(cases / "channels" / name), -1, 0)
        np.testing.assert_array_equal(read_image(cases / "channels" / name).array, written)


def test_each_page_of_a_set_is_that_of_its_own_file(cases: Path, tmp_path: Path) -> None:
    folder = cases / "multifile/packed"
    pages = [tifffile.imread(folder / f"ch{index}.ome.tif", _multifile=False, is_ome=False) for index in range(3)]
    for index in range(3):
        np.testing.assert_array_equal(read_image(folder / f"ch{index}.ome.tif").array, np.stack(pages))
    shutil.copytree(folder, tmp_path / "set")
    lost = tmp_path / "set/ch1.ome.tif"
    content = lost.read_bytes()
    lost.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match=r"ch1\.ome\.tif"):
        read_image(tmp_path / "set/ch0.ome.tif")
    lost.unlink()
    with pytest.raises(ImageError, match=r"ch1\.ome\.tif is missing"):
        read_image(tmp_path / "set/ch0.ome.tif")


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("units/ij_nanometre.tif", (0.25, 0.25)),
        ("units/ij_micrometre.tif", (0.25, 0.25)),
        ("units/olympus_sis.tif", (0.25, 0.25)),
        ("units/ome_anisotropic.ome.tif", (0.3, 0.25)),
        ("zarr/global_scale.zarr", (0.25, 0.25)),
    ],
)
def test_pixel_sizes(cases: Path, name: str, size: tuple[float, float]) -> None:
    image = read_image(cases / name)
    assert image.pixel_size == pytest.approx(size)
    assert ("not square" in "\n".join(image.notes)) == (size[0] != size[1])


def test_cmyk_is_refused_as_cmyk(cases: Path) -> None:
    with pytest.raises(ImageError, match="CMYK"):
        read_image(cases / "photometric/he_cmyk.tif")


@pytest.fixture(scope="module")
def found(demo_package: Path, cases: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[int, str]]:
    """Run the demo model on a case; give the number of nuclei and the notes."""

    def nuclei(name: str, **options: Any) -> tuple[int, str]:
        result = instanseg_export.run(
            demo_package, cases / name, output=tmp_path_factory.mktemp("run"), runtime="onnxruntime", **options
        )
        return result.found[0].instances, "\n".join(result.notes)

    return nuclei


def test_as_many_nuclei_as_in_the_image_that_it_was_made_of(found: Callable[..., tuple[int, str]]) -> None:
    grey = {"channels": [1, 1, 1]}
    assert found("fl.tif", **grey)[0] == 28
    assert found("he.tif")[0] == 38
    count, notes = found("photometric/fl_miniswhite.tif", **grey)
    assert (count, "inverted" in notes) == (28, True)
    count, notes = found("series/overview_first.ome.tif")
    assert (count, "the largest" in notes) == (38, True)
    count, notes = found("units/ome_anisotropic.ome.tif", **grey)
    assert count > 0
    assert "not square" in notes
    assert "does not say its pixel size" not in notes


@pytest.mark.parametrize(
    "change",
    [
        lambda grey: grey / 255 + 1e9,
        lambda grey: (grey + 2**30).astype(np.int32),
        lambda grey: grey.astype(np.uint64) + np.uint64(2**60),
        lambda grey: grey * 1e300,
        lambda grey: (grey * 1e36).astype(np.float32),
        lambda grey: (grey * 1e-40).astype(np.float32),
    ],
    ids=["float64 + 1e9", "int32 + 2^30", "uint64 + 2^60", "float64 * 1e300", "float32 * 1e36", "float32 * 1e-40"],
)
def test_values_that_float32_has_no_room_for_show_the_same_nuclei(
    demo_package: Path, cases: Path, tmp_path: Path, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    path = tmp_path / "wide.tif"
    tifffile.imwrite(path, change(tifffile.imread(cases / "fl.tif").astype(np.float64)), photometric="minisblack")
    result = instanseg_export.run(
        demo_package, path, output=tmp_path / "out", runtime="onnxruntime", channels=[1, 1, 1]
    )
    assert result.found[0].instances == 28
    assert any("moved to 0 to 255" in note for note in result.notes)
    assert len(set(result.notes)) == len(result.notes)
