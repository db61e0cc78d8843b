"""The web page in headless Chromium, used as a person uses it: buttons, fields, downloads."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from playwright.sync_api import Browser, Locator, Page, Playwright, Request

__all__ = ["CHROMIUM", "LACKING", "Opened", "SegmentationPage", "chromium", "opened"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)

_PROGRAMS = {"Chromium": CHROMIUM, "Node": shutil.which("node"), "npm": shutil.which("npm")}

LACKING = [name for name, place in _PROGRAMS.items() if place is None]
"""What this machine needs for these tests and does not have."""

_SOFTWARE_GPU = (
    "--enable-unsafe-webgpu",
    "--enable-features=Vulkan,WebGPU",
    "--use-webgpu-adapter=swiftshader",
    "--use-vulkan=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
)
_LIMIT = 600_000.0
"""Milliseconds that a run in the page may take."""


def chromium(playwright: Playwright, *flags: str, gpu: bool = False) -> Browser:
    """Start headless Chromium, with a graphics processor in software if asked for."""
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", *(_SOFTWARE_GPU if gpu else ()), *flags]
    return playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)


@contextmanager
def opened(browser: Browser, url: str, **options: Any) -> Iterator[SegmentationPage]:
    """Yield the page at an address; it must ask no other host for anything and meet no defect."""
    context = browser.new_context(accept_downloads=True, **options)
    page = context.new_page()
    page.set_default_timeout(60_000)
    asked: list[str] = []
    defects: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((url, "blob:", "data:")):
            asked.append(request.url)

    context.on("request", note)
    page.on("pageerror", lambda error: defects.append(str(error)))
    try:
        page.goto(url)
        yield SegmentationPage(page)
    finally:
        context.close()
    assert asked == []
    assert defects == []


class SegmentationPage:
    """What a person does with the page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def part(self, name: str) -> Locator:
        """Return the element of an id."""
        return self.page.locator(f"#{name}")

    def ready(self) -> None:
        """Wait until the model is loaded, or something is wrong."""
        self.page.locator("#file:enabled, #problem:not([hidden])").first.wait_for(state="attached")

    def open(self, path: Path) -> None:
        """Choose a file."""
        self.ready()
        self.part("file").set_input_files(path)
        self._read()

    def open_sample(self, word: str) -> None:
        """Click the button of a sample."""
        self.page.click(f"[data-sample*={word}]")
        self._read()

    def _read(self) -> None:
        self.page.locator("#status:text('Ready to segment'), #problem:not([hidden])").first.wait_for()

    def choose(self, values: Mapping[str, Any]) -> None:
        """Put values into fields by their ids; those of settings by their names."""
        self.page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        for name, value in values.items():
            field = self.page.locator(f"#{name}, #setting-{name}").first
            if isinstance(value, bool):
                field.set_checked(value)
            elif field.evaluate("(field) => field.tagName") == "SELECT":
                field.select_option(str(value))
            else:
                field.fill(str(value))

    def segment(self) -> None:
        """Click, and wait for the results."""
        self.page.click("#run")
        self.page.locator("#results:not([hidden]), #problem:not([hidden])").first.wait_for(timeout=_LIMIT)
        assert self.problem() == ""

    def problem(self) -> str:
        """Return what is wrong, with the hint; empty where nothing is."""
        return self.part("problem").inner_text() if self.part("problem").is_visible() else ""

    def text(self, name: str) -> str:
        """Return what an element says."""
        return self.part(name).inner_text()

    def file(self, kind: str) -> tuple[str, bytes]:
        """Save results, and return the file's name and bytes."""
        with self.page.expect_download() as download:
            self.page.click(f"[data-file={kind}]")
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    def labels(self) -> np.ndarray:
        """Return the label maps (T, H, W)."""
        pages = tifffile.imread(io.BytesIO(self.file("tiff")[1]))
        return np.asarray(pages if pages.ndim == 3 else pages[None])

    def geojson(self) -> dict[str, Any]:
        """Return the objects for QuPath."""
        return dict(json.loads(self.file("geojson")[1]))

    def table(self) -> list[dict[str, str]]:
        """Return the rows of the table."""
        return list(csv.DictReader(io.StringIO(self.file("csv")[1].decode())))


Opened = Callable[..., AbstractContextManager[SegmentationPage]]
"""Gives the page of a model; ``gpu`` and what a context of the browser takes can be chosen."""
