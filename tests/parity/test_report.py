"""The report as JSON, markdown and HTML, and what can be validated at all."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_model import TinySegmenter

from instanseg_export.api.validate import validate
from instanseg_export.errors import ImageError, PackageError, SettingError, UnsafeFileError
from instanseg_export.images.named import NamedImage
from instanseg_export.images.synthetic import standard_images
from instanseg_export.parity.report import Report

WriteRuntime = Callable[..., Path]


@pytest.fixture(scope="module")
def report(package: Path, write_runtime: WriteRuntime, squares: NamedImage) -> Report:
    torch.jit.script(TinySegmenter(shift=2)).save(package / "shifted.pt")
    absent = write_runtime("absent", modules=("no_such_module",), hint="pip install 'no <such> module'")
    shifted = write_runtime("shifted", filename="shifted.pt")
    images = [
        NamedImage("a | b <i>", squares.array[0], "one & only", sample=True),
        NamedImage("dark", np.zeros((2, 5, 7), dtype=np.uint8), "nothing"),
    ]
    return validate(package, runtimes=["torchscript", str(shifted), str(absent)], images=images, trust=True)


def test_json_is_the_whole_report(report: Report, tmp_path: Path) -> None:
    written = report.write(tmp_path / "new" / "folder")
    assert [path.name for path in written] == ["report.json", "report.md", "report.html"]
    again = Report.read(written[0])
    assert again == report
    assert [path.read_text() for path in again.write(tmp_path)] == [path.read_text() for path in written]


def test_every_runtime_has_a_result_for_every_image(report: Report) -> None:
    statuses = {(result.runtime, result.image): result.status for result in report.results}
    assert statuses == {
        ("torchscript", "a | b <i>"): "passed",
        ("torchscript", "dark"): "passed",
        ("shifted", "a | b <i>"): "failed",
        ("shifted", "dark"): "passed",
        ("absent", "a | b <i>"): "not run",
        ("absent", "dark"): "not run",
    }
    assert [runtime.name for runtime in report.runtimes if runtime.reference] == ["torchscript"]


def test_hashes_versions_and_times_are_there(report: Report) -> None:
    reference = report.reference
    assert reference is not None
    assert re.fullmatch("[0-9a-f]{64}", reference.model_sha256)
    assert reference.version == torch.__version__
    assert reference.device == "cpu"
    assert reference.load_s is not None
    assert all(result.run_s for result in report.results_of("torchscript"))
    assert len({image.sha256 for image in report.images}) == 2
    assert report.image("dark").shape == (1, 2, 5, 7)


def test_markdown_says_what_failed_and_how_to_install_the_rest(report: Report, tmp_path: Path) -> None:
    text = report.write(tmp_path)[1].read_text()
    assert "labels are shifted by (0, 2); the first stage that differs is labels" in text
    assert "pip install 'no <such> module'" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in tables if "a \\| b" in line} <= {
        line.count("|") for line in tables if line.startswith("| Image")
    }


class _Page(HTMLParser):
    """Collects what a page loads, and that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.open: list[str] = []
        self.pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.loaded += [str(values[name]) for name in ("src", "href") if name in values]
        self.pictures += tag == "img"
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_one_page_that_loads_nothing(report: Report, tmp_path: Path) -> None:
    text = report.write(tmp_path)[2].read_text()
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert page.pictures == 6  # image, reference, runtime and differences; image and reference of the sample
    assert all(source.startswith("data:image/png;base64,") for source in page.loaded)
    assert "http" not in text
    assert "url(" not in text
    assert "<i>" not in text
    assert "labels are shifted by (0, 2)" in text


def test_the_summary_has_no_times(report: Report) -> None:
    assert report.summary() == (
        f"Compared with TorchScript {torch.__version__} (10 instances) on 2 images (1 of the package, 1 others). "
        "shifted disagrees or fails on 1 of 2: a | b <i>: labels are shifted by (0, 2); "
        "the first stage that differs is labels. absent was not run: Python does not find no_such_module. "
        "The TorchScript file is not ours and may write to its input: it was given copies of the images."
    )


def test_a_report_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(PackageError, match=r"report\.json is not a parity report"):
        Report.read(tmp_path / "report.json")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.zip", None, "There is no"),
        ("model.pt", b"", "is empty"),
        ("notes.txt", b"hello", "neither a package nor an exported file"),
        ("broken.zip", b"PK\x03\x04 and no more", "the zip is damaged"),
    ],
)
def test_what_cannot_be_validated_is_refused(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(PackageError, match=words) as caught:
        validate(tmp_path / name)
    assert caught.value.hint


def test_a_zip_that_climbs_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../outside.txt", "x")
    with pytest.raises(UnsafeFileError, match=r"'\.\./outside\.txt', which would be written outside"):
        validate(tmp_path / "evil.zip")
    assert not (tmp_path.parent / "outside.txt").exists()


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="holds no exported file"):
        validate(tmp_path)


def test_a_damaged_file_is_refused_before_anything_runs(tmp_path: Path, package: Path, squares: NamedImage) -> None:
    whole = (package / "instanseg.pt").read_bytes()
    (tmp_path / "instanseg.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PackageError, match=r"instanseg.pt cannot be read: the TorchScript file is damaged"):
        validate(tmp_path / "instanseg.pt", images=[squares], runtimes=["torchscript"])


def test_unfit_images_and_settings_are_refused(package: Path, squares: NamedImage) -> None:
    flat = NamedImage("flat", np.zeros((4, 4)))
    with pytest.raises(ImageError, match=r"flat has shape \(4, 4\)"):
        validate(package, images=[flat])
    with pytest.raises(ImageError, match="Two images are called squares"):
        validate(package, images=[squares, squares])
    with pytest.raises(ImageError, match="no image"):
        validate(package, images=[])
    with pytest.raises(SettingError, match="no setting 'seed_treshold'"):
        validate(package, images=[squares], settings={"seed_treshold": 0.5})


@pytest.mark.parametrize("channels", [1, 2, 3, None])
def test_the_standard_set_has_every_kind_of_image(channels: int | None) -> None:
    images = {image.name: image.batch() for image in standard_images(channels)}
    assert images["one pixel"].shape[2:] == (1, 1)
    assert images["one row"].shape[2] == 1
    assert images["batch of 3"].shape[0] == 3
    assert np.unique(images["constant"]).size == 1
    assert images["16 bit"].max() > 40_000
    assert np.isnan(images["NaN and infinities"]).any()
    assert np.isposinf(images["NaN and infinities"]).any()
    assert np.isneginf(images["NaN and infinities"]).any()
    assert {image.shape[1] for image in images.values()} == ({1, 3, 7} if channels is None else {channels})
    again = {image.name: image.batch() for image in standard_images(channels)}
    assert all(np.array_equal(images[name], again[name], equal_nan=True) for name in images)
