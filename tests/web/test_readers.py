"""Image files: the page reads what Python reads, or says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from instanseg_export.images import read_image
from support.paths import DEMO_IMAGES
from support.web_files import READ, REFUSED
from support.web_page import Opened
from support.web_worker import PageWorker


@pytest.fixture
def worker(demo_package: Path, page_of: Opened) -> Iterator[PageWorker]:
    with page_of(demo_package) as page:
        page.ready()
        yield PageWorker(page.page)


def difference(worker: PageWorker, path: Path) -> str:
    """Return how what the page reads of a file differs from what Python reads; empty where it does not."""
    expected = read_image(path)
    answer = worker.open(path)
    if "value" not in answer:
        return str(answer)
    facts = answer["value"]
    if (facts["height"], facts["width"]) != expected.array.shape[1:] or facts["names"] != list(expected.channel_names):
        return f"{facts} is not {expected.array.shape} of {expected.channel_names}"
    size = facts["pixelSize"]
    if (size is None) != (expected.pixel_size is None) or (size and size != pytest.approx(expected.pixel_size)):
        return f"pixels of {size} are not of {expected.pixel_size}"
    found = worker.pixels(expected.array.shape[0])
    return "" if np.array_equal(found, expected.array.astype(np.float32)) else "other pixels"


def test_files_of_many_kinds_are_read_as_python_reads_them(worker: PageWorker, tmp_path: Path) -> None:
    wrong = {}
    for name, write in READ.items():
        write(tmp_path / name)
        if differs := difference(worker, tmp_path / name):
            wrong[name] = differs
    assert wrong == {}


def test_people_s_files_are_read_as_python_reads_them(worker: PageWorker, shared: Path) -> None:
    paths = [
        *sorted((shared / "data" / "examples").glob("*.tif")),
        shared / "data" / "multiplex" / "FIHC4_2_component_data.tif",
        *sorted(DEMO_IMAGES.glob("*.png")),
    ]
    assert {path.name: differs for path in paths if (differs := difference(worker, path))} == {}


def test_what_is_no_image_is_refused_with_a_remedy_and_the_page_goes_on(
    demo_package: Path, page_of: Opened, tmp_path: Path
) -> None:
    wrong = {}
    with page_of(demo_package) as page:
        for name, (write, fact, remedy) in REFUSED.items():
            write(tmp_path / name)
            page.open(tmp_path / name)
            said = page.problem()
            whole = len(said.strip().splitlines()) >= 2 and "The page failed" not in said
            if not whole or not all(words in said for words in (name, fact, remedy)):
                wrong[name] = said
        page.open(DEMO_IMAGES / "histology.png")
        assert page.problem() == ""
        assert "256 x 256 pixels, 3 channels, uint8" in page.text("image-facts")
    assert wrong == {}
