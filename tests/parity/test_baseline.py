"""A report is held against one that was recorded earlier: what drifts fails it, and what may change does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instanseg_export.api.validate import validate
from instanseg_export.errors import ImageError, OutputError, PackageError, SettingError
from instanseg_export.images.named import NamedImage
from instanseg_export.parity.baseline import Baseline, compare_with_baseline, read_baseline
from instanseg_export.parity.baseline_records import BaselineRecord, Drift
from instanseg_export.parity.render import render_job_summary, render_junit
from instanseg_export.parity.report import Report
from support.tiny_model import TinySegmenter

WriteRuntime = Callable[..., Path]


@pytest.fixture(scope="module")
def images(squares: NamedImage) -> list[NamedImage]:
    return [
        NamedImage("squares", squares.array, "ten squares", sample=True),
        NamedImage("a | b <i>", squares.array[0, :, :40], "some of them"),
        NamedImage("dark", np.zeros((2, 9, 7), dtype=np.uint8), "nothing"),
    ]


class Model:
    """A package whose file two runtimes run, and what validate finds in it."""

    def __init__(self, folder: Path, second: Path, images: list[NamedImage]) -> None:
        self.folder, self.second, self.images = folder, second, images

    def write(self, first: TinySegmenter, second: TinySegmenter) -> None:
        torch.jit.script(first).save(self.folder / "instanseg.pt")
        torch.jit.script(second).save(self.folder / "second.pt")

    def validate(self, **keywords: Any) -> Report:
        given: dict[str, Any] = {"runtimes": ["torchscript", str(self.second)], "images": self.images, "trust": True}
        return validate(self.folder, **(given | keywords))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, write_runtime: WriteRuntime, images: list[NamedImage]) -> Model:
    model = Model(tmp_path_factory.mktemp("package"), write_runtime("second", filename="second.pt"), images)
    model.write(TinySegmenter(), TinySegmenter())
    return model


@pytest.fixture(scope="module")
def baseline(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report in which two runtimes agree."""
    folder = tmp_path_factory.mktemp("recorded") / "report"
    assert model.validate(output=folder).passed
    return folder


def drifts(report: Report) -> list[tuple[str, str, str]]:
    assert report.baseline is not None
    return [(one.kind, one.runtime, one.image) for one in report.baseline.drifts]


def test_nothing_drifts_where_nothing_changed(model: Model, baseline: Path, tmp_path: Path) -> None:
    report = model.validate(baseline=baseline)
    assert report.passed
    assert report.baseline is not None
    assert report.baseline.compared == 6
    assert report.baseline.notes == ()
    assert report.summary().startswith("As in the baseline of ")
    assert read_baseline(baseline) == read_baseline(baseline / "report.json")
    written = {path.name: path.read_text() for path in report.write(tmp_path, for_ci=True)}
    assert set(written) == {"report.json", "report.md", "report.html", "junit.xml", "summary.md"}
    assert Report.read(tmp_path / "report.json") == report


DEFECTS: list[dict[str, Any]] = [{"shift": 2}, {"scale": 0.1}]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: "-".join(defect))
def test_one_runtime_drifts(model: Model, baseline: Path, defect: dict[str, Any], tmp_path: Path) -> None:
    """Whatever the defect, what passed has failed."""
    model.write(TinySegmenter(), TinySegmenter(**defect))
    try:
        report = model.validate(baseline=baseline, output=tmp_path / "report")
    finally:
        model.write(TinySegmenter(), TinySegmenter())
    assert not report.passed
    assert ("outcome", "second", "squares") in drifts(report)
    assert {runtime for _, runtime, _ in drifts(report)} == {"second", "the torchscript file"}
    assert "Drifted from the baseline of" in report.summary()
    suites = {suite.get("name"): suite for suite in ElementTree.parse(tmp_path / "report/junit.xml").getroot()}
    assert suites["second"].get("failures") != "0"
    assert suites["TorchScript"].get("failures") == "0"
    assert suites["Baseline"].get("failures") == str(len(drifts(report)) + 1)


def test_all_runtimes_drift_alike(model: Model, baseline: Path) -> None:
    """They agree with one another, so that only the baseline can tell."""
    model.write(TinySegmenter(drop=3), TinySegmenter(drop=3))
    try:
        agreeing, report = model.validate(), model.validate(baseline=baseline)
    finally:
        model.write(TinySegmenter(), TinySegmenter())
    assert agreeing.passed
    assert report.status == "failed"
    assert ("file", "the torchscript file", "") in drifts(report)
    counted = [one for one in drifts(report) if one[0] == "instances"]
    assert ("instances", "TorchScript", "squares") in counted
    assert ("instances", "second", "squares") in counted
    assert not any(image == "dark" for _, _, image in drifts(report))


def test_a_runtime_that_is_gone_is_drift_unless_nobody_asked_for_it(
    model: Model, baseline: Path, write_runtime: WriteRuntime
) -> None:
    absent = write_runtime("second", filename="second.pt", modules=("no_such_module",))
    report = model.validate(runtimes=["torchscript", str(absent)], baseline=baseline)
    assert not report.passed
    assert drifts(report) == [("outcome", "second", "")], "once, and not for each image"
    assert report.baseline is not None
    assert report.baseline.drifts[0].now == "not run"
    assert "no_such_module" in report.baseline.drifts[0].why
    fewer = model.validate(runtimes=["torchscript"], baseline=baseline)
    assert drifts(fewer) == []
    assert fewer.baseline is not None
    assert fewer.baseline.notes == ("Not asked for, and not compared: second.",)


def test_images_are_told_by_what_they_hold(model: Model, baseline: Path, images: list[NamedImage]) -> None:
    squares, part, dark = images
    renamed = [NamedImage("renamed", squares.array, "the same"), part, dark]
    assert drifts(model.validate(images=renamed, baseline=baseline)) == []
    brighter = [NamedImage("squares", squares.array + 1, "others"), part, NamedImage("new", part.array * 0, "more")]
    report = model.validate(images=brighter, baseline=baseline)
    assert [one for one in drifts(report) if one[0] == "image"] == [("image", "", "squares"), ("image", "", "dark")]


def test_what_cannot_be_compared_is_refused_before_anything_runs(
    model: Model, baseline: Path, images: list[NamedImage], tmp_path: Path
) -> None:
    with pytest.raises(ImageError, match="has none of these images") as caught:
        model.validate(images=[NamedImage("other", images[0].array * 2)], baseline=baseline, output=tmp_path / "new")
    assert "--images" in caught.value.hint
    content = json.loads((baseline / "report.json").read_text()) | {"settings": {"min_size": 5}}
    (tmp_path / "other.json").write_text(json.dumps(content))
    with pytest.raises(SettingError, match=r'recorded with the settings \{"min_size": 5\}') as refused:
        model.validate(baseline=tmp_path / "other.json", output=tmp_path / "new")
    assert "--set" in refused.value.hint
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no baseline at"),
        ("", "cannot be read"),
        ("{}", "is not a parity report"),
        ('{"format": 99}', "is not a parity report"),
        ("[" * 10_000, "nested"),
        ("no json", "not valid JSON"),
    ],
)
def test_what_is_no_baseline_is_refused(model: Model, tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "baseline.json").write_text(content)
    with pytest.raises(PackageError, match=words) as caught:
        model.validate(baseline=tmp_path / "baseline.json", output=tmp_path / "new")
    assert "--output baseline" in caught.value.hint
    assert not (tmp_path / "new").exists()


def test_a_baseline_in_which_nothing_passed_is_refused(baseline: Path, tmp_path: Path) -> None:
    content = json.loads((baseline / "report.json").read_text())
    for cell in content["cells"]:
        cell["status"] = "not run"
    (tmp_path / "baseline.json").write_text(json.dumps(content))
    with pytest.raises(PackageError, match="No result of the baseline"):
        read_baseline(tmp_path / "baseline.json")


def test_the_baseline_is_never_overwritten(model: Model, baseline: Path, tmp_path: Path) -> None:
    copied = tmp_path / "report"
    shutil.copytree(baseline, copied)
    before = (copied / "report.json").read_bytes()
    with pytest.raises(OutputError):
        model.validate(baseline=copied, output=copied, overwrite=True)
    assert (copied / "report.json").read_bytes() == before


def _compared(recorded: Report, now: Report, runtimes: list[str] | None = None) -> BaselineRecord:
    return compare_with_baseline(
        now, Baseline(Path("report.json"), "0" * 64, recorded), runtimes=runtimes, devices=["cpu"]
    )


_KEPT = st.sampled_from(["created", "machine", "rule", "pictures", "version", "hardware", "load_s", "peak_mb", "run_s"])


@given(kept=st.sets(_KEPT, min_size=1), number=st.floats(0, 1e6), word=st.text(max_size=9))
def test_versions_times_and_memory_are_no_drift(baseline: Path, kept: set[str], number: float, word: str) -> None:
    content = json.loads((baseline / "report.json").read_text())
    others: dict[str, Any] = {"created": word, "rule": word, "pictures": [], "version": word, "hardware": word}
    others |= {"load_s": number, "peak_mb": number, "run_s": [number]}
    others["machine"] = {"system": word, "processor": word, "cores": 3, "python": word, "exporter": word}
    for row in [content, *content["runtimes"], *content["cells"]]:
        row.update({name: others[name] for name in kept & set(row)})
    now = Report.read(baseline / "report.json")
    assert _compared(Report.model_validate(content), now).drifts == ()
    assert _compared(now, Report.model_validate(content)).drifts == ()


@given(place=st.integers(0, 5), change=st.sampled_from(["failed", "not run", "gone", "more", "fewer"]))
def test_each_result_that_drifts_is_named(baseline: Path, place: int, change: str) -> None:
    content = json.loads((baseline / "report.json").read_text())
    cell = content["cells"][place]
    if change in ("failed", "not run"):
        cell.update(status=change, why="for a reason")
    elif change == "gone":
        del content["cells"][place]
    else:
        cell["instances"] += 1 if change == "more" else -1
    label = next(row["title"] for row in content["runtimes"] if row["name"] == cell["runtime"])
    recorded = Report.read(baseline / "report.json")
    (drift,) = _compared(recorded, Report.model_validate(content)).drifts
    kind = "instances" if change in ("more", "fewer") else "outcome"
    assert (drift.kind, drift.runtime, drift.image) == (kind, label, cell["image"])
    assert drift.why == ("for a reason" if change in ("failed", "not run") else "")


@given(before=st.integers(0, 12), now=st.integers(0, 12))
def test_pixels_drift_where_more_differ_than_rounding_changes(baseline: Path, before: int, now: int) -> None:
    """Two images of some 10,000 pixels and a small one: three pixels of them all may come to differ."""
    versions = []
    for count in (before, now):
        content = json.loads((baseline / "report.json").read_text())
        cells = [cell["comparison"] for cell in content["cells"] if cell["comparison"] is not None]
        for place in range(count):
            cells[place % len(cells)]["differing_pixels"] += 1
        versions.append(Report.model_validate(content))
    record = _compared(versions[0], versions[1])
    assert [(one.kind, one.runtime) for one in record.drifts] == [("pixels", "second")] * (now - before > 3)
    assert len(record.notes) == (0 < now - before <= 3)


def test_hostile_words_do_nothing(baseline: Path) -> None:
    """Of a report that somebody else wrote, in XML and on the page of a job."""
    report = Report.read(baseline / "report.json")
    words = "\x1b[31m\x00</testsuite>]]>&<script>|`\n# head\ud83d\ufffe::error::"
    hostile = Drift(kind="outcome", runtime=words, image=words, before="passed", now="failed", why=words * 1000)
    record = BaselineRecord(
        sha256="0", created=words, exporter=words, compared=1, drifts=(hostile,) * 500, notes=(words,)
    )
    report = report.model_copy(update={"model": words, "baseline": record})
    root = ElementTree.fromstring(render_junit(report).encode())
    assert sum(int(suite.get("failures", "0")) for suite in root) == 501
    summary = render_job_summary(report)
    assert len(summary.encode()) < 500_000
    assert "\x1b" not in summary
    assert "<script>" not in summary.replace("\\<script\\>", "")
    assert "\n# head" not in summary
    assert "460 more" in summary
