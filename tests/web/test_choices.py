"""Settings, channels, pixel sizes and tiles: what the page makes of them is what Python makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from playwright.sync_api import Browser

from instanseg_export.api.segment_slide import segment_slide
from instanseg_export.api.serve import serve
from instanseg_export.runtimes.build import CACHE_VARIABLE
from support.paths import DEMO_IMAGES
from support.web_labels import by_python
from support.web_models import write_image
from support.web_page import Opened, SegmentationPage, opened

HISTOLOGY = DEMO_IMAGES / "histology.png"


@pytest.fixture(scope="module")
def plain(
    demo_package: Path,
    browsers: Callable[[bool], Browser],
    web_page: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[SegmentationPage, np.ndarray]]:
    """The page after a run with the model's own settings, and what that finds. Whoever changes it resets it."""
    found = by_python(demo_package, HISTOLOGY, tmp_path_factory.mktemp("plain"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(web_page))
        with serve(demo_package) as served, opened(browsers(False), served.url) as page:
            page.open(HISTOLOGY)
            page.segment()
            np.testing.assert_array_equal(page.labels(), found)
            yield page, found


@pytest.mark.parametrize(
    "settings",
    [
        {"seed_threshold": 0.85, "min_size": 120},
        {"mask_threshold": 0.7, "cleanup_fragments": False, "peak_distance": 9},
        {"peak_distance": 2, "overlap_threshold": 0.6, "connected": False},
    ],
)
def test_settings_are_those_of_python(
    demo_package: Path, plain: tuple[SegmentationPage, np.ndarray], tmp_path: Path, settings: dict[str, Any]
) -> None:
    page, usual = plain
    expected = by_python(demo_package, HISTOLOGY, tmp_path, settings=settings)
    page.choose(settings)
    page.segment()
    np.testing.assert_array_equal(page.labels(), expected)
    page.page.click("#reset")
    page.segment()
    np.testing.assert_array_equal(page.labels(), usual)
    assert not np.array_equal(usual, expected)


@pytest.mark.parametrize("normalize", ["auto", "always", "never"])
def test_normalised_images_are_told_from_raw_ones(
    demo_package: Path, page_of: Opened, tmp_path: Path, normalize: str
) -> None:
    """Floats that go from 0 to 1 by their percentiles are left alone, unless something else is asked for."""
    raw = tifffile.imread(demo_package / "sample-histology.tif").astype(np.float32)
    low, high = np.percentile(raw, [0.1, 99.9], axis=(1, 2), keepdims=True)
    path = tmp_path / "normalised.tif"
    tifffile.imwrite(path, ((raw - low) / (high - low)).astype(np.float32), photometric="minisblack")
    settings = {} if normalize == "auto" else {"normalize": normalize}
    expected = by_python(demo_package, path, tmp_path, settings=settings)
    with page_of(demo_package) as page:
        page.open(path)
        page.choose({"normalize": normalize})
        page.segment()
        np.testing.assert_array_equal(page.labels(), expected)
        assert ("taken as normalised" in page.text("results")) == (normalize == "auto")


def test_a_setting_out_of_range_is_named_and_nothing_is_run(demo_package: Path, page_of: Opened) -> None:
    with page_of(demo_package) as page:
        page.open(HISTOLOGY)
        for name, value in (("seed_threshold", 7), ("min_size", ""), ("peak_distance", 2.5)):
            page.choose({name: value})
            page.page.click("#run")
            page.page.locator("#problem:not([hidden])").wait_for()
            assert name in page.problem()
            assert not page.part("results").is_visible()
            page.page.click("#reset")


def test_one_channel_fills_all_of_the_model_s(demo_package: Path, page_of: Opened, tmp_path: Path) -> None:
    """A grey image is offered so from the start; and channels can be chosen in another order."""
    grey = DEMO_IMAGES / "fluorescence.png"
    expected = by_python(demo_package, grey, tmp_path, channels=[1, 1, 1])
    swapped = by_python(demo_package, HISTOLOGY, tmp_path, channels=[3, 2, 1])
    with page_of(demo_package) as page:
        page.open(grey)
        page.segment()
        np.testing.assert_array_equal(page.labels(), expected)
        page.open(HISTOLOGY)
        page.choose({"channel-0": 2, "channel-2": 0})
        page.segment()
        np.testing.assert_array_equal(page.labels(), swapped)


@pytest.mark.parametrize("pixel_size", [0.31, 0.82])
def test_an_image_of_another_pixel_size_is_rescaled(
    demo_package: Path, page_of: Opened, tmp_path: Path, pixel_size: float
) -> None:
    """Rounding may differ in the last place of a resampled value, and so at most a few pixels at a threshold."""
    expected = by_python(demo_package, HISTOLOGY, tmp_path, pixel_size=pixel_size)
    with page_of(demo_package) as page:
        page.open(HISTOLOGY)
        page.choose({"pixel-size": pixel_size})
        page.segment()
        found = page.labels()
        assert found.max() == expected.max() > 10
        assert (found != expected).mean() <= 3 / expected.size
        assert "rescaled" in page.text("notes")


def test_a_larger_image_goes_through_in_tiles_as_a_slide_does(
    demo_package: Path, page_of: Opened, tmp_path: Path
) -> None:
    """Two tiles whose seam cuts dozens of nuclei."""
    zarr = pytest.importorskip("zarr")
    pytest.importorskip("distributed")
    sample = tifffile.imread(demo_package / "sample-histology.tif").astype(np.uint8)
    image = np.concatenate([sample, sample[:, :, ::-1], sample], 2)[:, :200, :620]
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, image, photometric="minisblack", metadata={"axes": "CYX"})
    options: dict[str, Any] = {"pixel_size": 0.5, "tile": 512, "halo": 80, "runtime": "onnxruntime", "workers": 1}
    result = segment_slide(demo_package, path, output=tmp_path / "slide", **options)
    expected = zarr.open_array(result.folder / "labels.zarr" / "nuclei" / "0", mode="r")[:]
    with page_of(demo_package) as page:
        page.open(path)
        page.choose({"tile": 512, "pixel-size": 0.5})
        page.segment()
        np.testing.assert_array_equal(page.labels()[0], expected)
        assert expected.max() > 60
        assert "in 2 tiles" in page.text("notes")


@pytest.mark.slow
@pytest.mark.parametrize("family", ["embedseg", "iaunet", "classified", "positivity"])
def test_each_family_goes_through_in_tiles_as_a_slide_does(
    family: str, family_model: Callable[[str], Path], shared: Path, page_of: Opened, tmp_path: Path
) -> None:
    """What a model says of an object is what it said in the tile that kept it."""
    zarr = pytest.importorskip("zarr")
    pytest.importorskip("distributed")
    values = tifffile.imread(write_image(family, shared, tmp_path, 96, 560)).astype(np.float64)
    low, high = values.min(), values.max()
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, ((values - low) / (high - low) * 255).astype(np.uint8), photometric="minisblack")
    options: dict[str, Any] = {"pixel_size": 0.5, "tile": 512, "halo": 80, "runtime": "onnxruntime", "workers": 1}
    result = segment_slide(family_model(family), path, output=tmp_path / "slide", **options)
    expected = [zarr.open_array(result.folder / "labels.zarr" / name / "0", mode="r")[:] for name in result.counts]
    with page_of(family_model(family)) as page:
        page.open(path)
        page.choose({"tile": 512, "pixel-size": 0.5})
        page.segment()
        np.testing.assert_array_equal(page.labels(), expected)
        assert max(result.counts.values()) > 3
        assert "in 2 tiles" in page.text("notes")
        rows = page.table()
    assert len(rows) == sum(len(np.unique(labels)) - 1 for labels in expected)
    said = [name for name in rows[0] if name.startswith(("detection_", "instance_"))]
    assert all(row[name] for row in rows for name in said), "every object has its scores, logits and classes"
    assert bool(said) == (family != "embedseg")
