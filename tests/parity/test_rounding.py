"""A runtime that rounds on purpose has a row that says what that costs, and fails no report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from instanseg_export.api.validate import validate
from instanseg_export.images.named import NamedImage
from instanseg_export.parity.report import Report
from instanseg_export.runtimes.registry import find_runtime
from instanseg_export.runtimes.selection import preferred_runtimes
from support.programs import program

Write = Callable[..., Path]

ROUNDS = "rank = 0\nexact = false"


@pytest.fixture(scope="module")
def report(package: Path, write_runtime: Write, squares: NamedImage) -> Report:
    runtimes = [
        write_runtime("first", source=program(), more="rank = 1"),
        write_runtime("second", source=program(), more="rank = 2"),
        write_runtime("shifts", source=program(during="labels = np.roll(labels, 1, axis=-1)"), more=ROUNDS),
        write_runtime("loses", source=program(during="labels = labels * 0"), more=ROUNDS),
    ]
    return validate(package, runtimes=[*map(str, runtimes)], images=[squares], trust=True)


def test_it_passes_while_its_instances_are_those_of_the_reference(report: Report) -> None:
    assert {row.name: row.status for row in report.runtimes} == {
        "first": "passed",
        "second": "passed",
        "shifts": "passed",
        "loses": "failed",
    }
    (shifted,), (lost,) = report.results_of("shifts"), report.results_of("loses")
    assert shifted.comparison is not None
    assert not shifted.comparison.agrees
    assert lost.why == "only 0 of 2 instances are matched pairs (IoU 0.5)"


def test_it_fails_no_report_and_is_no_reference(report: Report) -> None:
    assert report.passed
    assert report.reference is not None
    assert report.reference.name == "first"


def test_without_another_runtime_nothing_was_compared(
    package: Path, write_runtime: Write, squares: NamedImage, tmp_path: Path
) -> None:
    (tmp_path / "mine.bin").write_bytes(b"a format of its own")
    runtimes = [
        str(write_runtime(name, source=program(), filename="mine.bin", more=more))
        for name, more in (("first", "rank = 1"), ("rounds", ROUNDS))
    ]
    (tmp_path / "instanseg.pt").write_bytes((package / "instanseg.pt").read_bytes())
    report = validate(tmp_path, runtimes=runtimes, images=[squares], trust=True)
    assert [row.status for row in report.runtimes] == ["passed", "passed"]
    assert report.status == "not run"


def test_every_rendering_says_what_it_costs(report: Report, tmp_path: Path) -> None:
    markdown, html = (path.read_text() for path in report.write(tmp_path)[1:])
    assert "| loses | ✗ failed, allowed |" in markdown
    assert "<td>✗ failed, allowed</td>" in html
    assert "shifts rounds more than the others, which fails no report: 2 of 2 instances are matched pairs" in (
        report.summary()
    )
    assert "loses disagrees" not in report.summary()


def test_run_does_not_pick_ours() -> None:
    assert not find_runtime("onnxruntime_tf32").exact
    for device in ("cpu", "cuda"):
        assert "onnxruntime_tf32" not in [one.name for one in preferred_runtimes(device)]
