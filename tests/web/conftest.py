"""Chromium, to look at the page of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from instanseg_export.api.serve import serve
from instanseg_export.runtimes.build import CACHE_VARIABLE
from support.sharing import MadeOnce
from support.web_models import write_model
from support.web_page import LACKING, Opened, SegmentationPage, chromium, opened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder, and leave them out where there is no browser or no Node."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.web)
            if LACKING:
                item.add_marker(pytest.mark.skip(reason=f"needs {' and '.join(LACKING)}"))


@pytest.fixture(autouse=True)
def page_cache(web_page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands find the built page."""
    monkeypatch.setenv(CACHE_VARIABLE, str(web_page))


@pytest.fixture(scope="module")
def browsers() -> Iterator[Callable[[bool], Browser]]:
    """Give Chromium with, or without, a graphics processor in software."""
    started: dict[bool, Browser] = {}
    with ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())

        def browser(gpu: bool) -> Browser:
            if gpu not in started:
                started[gpu] = chromium(playwright, gpu=gpu)
                stack.callback(started[gpu].close)
            return started[gpu]

        yield browser


@pytest.fixture
def page_of(browsers: Callable[[bool], Browser]) -> Iterator[Opened]:
    """Give the page of a model, opened; ``gpu`` and what a context of the browser takes can be chosen."""
    with ExitStack() as stack:

        def of(model: Path, *, gpu: bool = False, **options: Any) -> AbstractContextManager[SegmentationPage]:
            served = stack.enter_context(serve(model))
            return opened(browsers(gpu), served.url, **options)

        yield of


@pytest.fixture
def family_model(shared: Path, made_once: MadeOnce) -> Callable[[str], Path]:
    """Give the model.onnx of one of ``support.web_models.FAMILIES``."""
    return lambda family: made_once(f"web_{family}", lambda folder: write_model(family, shared, folder)) / "model.onnx"
