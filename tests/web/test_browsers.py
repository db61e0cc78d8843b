"""Browsers that lack something: without WebAssembly, without its vector instructions, with a graphics processor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from playwright.sync_api import sync_playwright

from instanseg_export.api.serve import serve
from support.paths import VARIANTS
from support.web_labels import by_python
from support.web_models import write_image
from support.web_page import Opened, chromium, opened


@pytest.mark.parametrize(
    ("flag", "fact"),
    [("--js-flags=--jitless", "has no WebAssembly"), ("--js-flags=--no-enable-sse4-1", "(SIMD)")],
)
def test_a_browser_that_cannot_run_models_is_told_so(demo_package: Path, flag: str, fact: str) -> None:
    with sync_playwright() as playwright, serve(demo_package) as served:
        browser = chromium(playwright, flag)
        with opened(browser, served.url) as page:
            page.ready()
            assert fact in page.problem()
            assert "se a current Chrome" in page.problem()
            assert page.part("file").is_disabled()
        browser.close()


def cropped(source: Path, folder: Path, height: int, width: int) -> Path:
    image = tifffile.imread(source)
    path = folder / "crop.tif"
    tifffile.imwrite(path, image[:, :height, :width], photometric="minisblack", metadata={"axes": "CYX"})
    return path


def test_the_network_runs_on_the_graphics_processor(demo_package: Path, page_of: Opened, tmp_path: Path) -> None:
    """One in software, which is exact but slow: so the page takes it only where it is told to."""
    image = cropped(demo_package / "sample-histology.tif", tmp_path, 48, 64)
    settings = {"min_size": 60}
    expected = by_python(demo_package, image, tmp_path, settings=settings)
    with page_of(demo_package, gpu=True) as page:
        page.open(image)
        page.choose(settings)
        page.segment()
        np.testing.assert_array_equal(page.labels(), expected)
        assert "Not by WebGPU: its WebGPU is a program on the processor" in page.text("engine")
        page.choose({"processor": "webgpu"})
        page.segment()
        np.testing.assert_array_equal(page.labels(), expected)
        assert expected.max() > 1
        assert "The network ran on the graphics processor by WebGPU" in page.text("engine")


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_on_the_graphics_processor(
    exported: Callable[[str], Path], variant: str, shared: Path, page_of: Opened, tmp_path: Path
) -> None:
    name = "multiplex_2ch" if variant == "nuclei_cells_channelnet" else "dsb_58406ed8ef94"
    path = tmp_path / "image.tif"
    image = np.load(shared / "golden" / variant / f"{name}.npz")["input"]
    tifffile.imwrite(path, image[:, :128, :128], photometric="minisblack", metadata={"axes": "CYX"})
    expected = by_python(exported(variant), path, tmp_path)
    with page_of(exported(variant), gpu=True) as page:
        page.open(path)
        page.choose({"processor": "webgpu"})
        page.segment()
        np.testing.assert_array_equal(page.labels(), expected)
        assert expected.max() > 1
        assert "by WebGPU" in page.text("engine")


@pytest.mark.slow
@pytest.mark.parametrize("family", ["embedseg", "iaunet", "classified", "positivity"])
def test_each_family_on_the_graphics_processor(
    family: str, family_model: Callable[[str], Path], shared: Path, page_of: Opened, tmp_path: Path
) -> None:
    size = (128, 160) if family == "embedseg" else (80, 80)
    image = write_image(family, shared, tmp_path, *size)
    expected = by_python(family_model(family), image, tmp_path)
    with page_of(family_model(family), gpu=True) as page:
        page.open(image)
        page.choose({"processor": "webgpu"})
        page.segment()
        np.testing.assert_array_equal(page.labels(), expected)
        assert expected.max() > 1
        assert "by WebGPU" in page.text("engine")


def test_without_a_graphics_processor_the_page_says_why_it_was_not_taken(
    demo_package: Path, page_of: Opened, tmp_path: Path
) -> None:
    image = cropped(demo_package / "sample-histology.tif", tmp_path, 48, 48)
    with page_of(demo_package) as page:
        page.open(image)
        page.choose({"processor": "webgpu"})
        page.segment()
        assert "All of the model ran in WebAssembly" in page.text("engine")
        assert "Not by WebGPU" in page.text("engine")
