"""The page as a tool: by keyboard, on a phone, while it works, and when a run is cancelled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from axe_playwright_python.sync_playwright import Axe

from support.paths import DEMO_IMAGES
from support.web_labels import by_python
from support.web_page import Opened, SegmentationPage

HISTOLOGY = DEMO_IMAGES / "histology.png"
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


def serious(page: SegmentationPage) -> list[str]:
    """What axe finds that keeps people from using a page."""
    found = Axe().run(page.page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [{}, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_serious(demo_package: Path, page_of: Opened, screen: dict[str, Any], scheme: str) -> None:
    with page_of(demo_package, color_scheme=scheme, bypass_csp=True, **screen) as page:
        page.ready()
        assert serious(page) == []
        page.open(HISTOLOGY)
        page.choose({"seed_threshold": 0.7})  # which opens the settings
        page.segment()
        assert serious(page) == []
        page.choose({"seed_threshold": 70})
        page.page.click("#run")
        page.page.locator("#problem:not([hidden])").wait_for()
        assert serious(page) == []
        wide = page.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1], "the page does not scroll sideways"


def test_all_of_it_works_with_the_keyboard(demo_package: Path, page_of: Opened) -> None:
    with page_of(demo_package) as page:
        page.ready()
        keyboard = page.page.keyboard
        page.page.evaluate("document.body.focus()")
        reached = []

        def tab_to(wanted: str) -> None:
            for _ in range(60):
                keyboard.press("Tab")
                here = page.page.evaluate("document.activeElement.id || document.activeElement.textContent")
                reached.append(here)
                if here == wanted:
                    return
            raise AssertionError(f"Tab does not reach {wanted}: {reached}")

        tab_to("file")
        tab_to("Histology")
        keyboard.press("Enter")
        page.page.locator("#status:text('Ready to segment')").wait_for()
        tab_to("channel-0")
        keyboard.press("Enter")
        keyboard.press("Escape")
        tab_to("run")
        keyboard.press("Enter")
        page.page.locator("#results:not([hidden])").wait_for(timeout=120_000)
        tab_to("Label TIFF")
        with page.page.expect_download() as download:
            keyboard.press("Enter")
        assert download.value.suggested_filename == "sample-histology_labels.tif"
        tab_to("GeoJSON for QuPath")
        view = "document.querySelector('.openseadragon-canvas')"
        page.page.evaluate(f"{view}.focus()")
        before = page.part("viewer").screenshot()
        keyboard.press("+")
        keyboard.press("ArrowRight")
        page.page.wait_for_timeout(1500)
        assert page.part("viewer").screenshot() != before
        tab_to("zoom-in")
        tab_to("outlines")


@pytest.fixture
def large(demo_package: Path, tmp_path: Path) -> Path:
    """An image of 560 x 900 pixels, in two tiles of 512."""
    sample = tifffile.imread(demo_package / "sample-histology.tif").astype(np.uint8)
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, np.tile(sample, (1, 2, 4))[:, :480, :900], photometric="minisblack")
    return path


def test_a_run_is_cancelled_at_once_and_can_be_started_again(
    demo_package: Path, page_of: Opened, large: Path, tmp_path: Path
) -> None:
    expected = by_python(demo_package, HISTOLOGY, tmp_path)
    with page_of(demo_package) as page:
        page.open(large)
        page.choose({"tile": 512})
        page.page.click("#run")
        page.page.locator("#status:text('Segmenting tile 1')").wait_for()
        page.page.click("#cancel")
        page.page.locator("#status:text('Cancelled.')").wait_for(timeout=5000)
        assert page.problem() == ""
        assert not page.part("results").is_visible()
        assert not page.part("cancel").is_visible()
        page.open(HISTOLOGY)
        page.segment()
        np.testing.assert_array_equal(page.labels(), expected)


def test_another_image_takes_the_place_of_one_that_is_being_segmented(
    demo_package: Path, page_of: Opened, large: Path, tmp_path: Path
) -> None:
    expected = by_python(demo_package, HISTOLOGY, tmp_path)
    with page_of(demo_package) as page:
        page.open(large)
        page.choose({"tile": 512})
        page.page.click("#run")
        page.page.locator("#status:text('Segmenting tile 1')").wait_for()
        page.open(HISTOLOGY)
        page.segment()
        np.testing.assert_array_equal(page.labels(), expected)


WATCH = """() => {
  window.longest = 0;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    window.longest = Math.max(window.longest, now - last);
    last = now;
  }, 10);
}"""


def test_the_page_does_not_freeze_while_it_works(demo_package: Path, page_of: Opened, large: Path) -> None:
    """No step of the page itself takes long, whatever its workers do."""
    with page_of(demo_package) as page:
        page.open(large)
        page.choose({"tile": 512})
        page.page.evaluate(WATCH)
        page.segment()
        page.page.wait_for_timeout(500)
        assert page.page.evaluate("window.longest") < 1500, "milliseconds, on a machine with other work"


@pytest.mark.slow
def test_nor_with_2048_x_2048_pixels(demo_package: Path, page_of: Opened, tmp_path: Path) -> None:
    sample = tifffile.imread(demo_package / "sample-histology.tif").astype(np.uint8)
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, np.tile(sample, (1, 8, 8)), photometric="minisblack")
    with page_of(demo_package) as page:
        page.ready()
        page.page.evaluate(WATCH)
        page.open(path)
        page.segment()
        page.page.wait_for_timeout(500)
        longest = page.page.evaluate("window.longest")
        assert longest < 1500
        assert int(page.labels().max()) > 2500
        assert page.page.evaluate("window.longest") < 1500
