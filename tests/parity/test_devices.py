"""A runtime is compared on each device that is asked for, always with a run on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from instanseg_export.api.validate import validate
from instanseg_export.errors import SettingError
from instanseg_export.images.named import NamedImage
from instanseg_export.parity.report import Report
from support.programs import program

Write = Callable[..., Path]

ONE_TPU = """
if arguments.device == "tpu:1":
    print(json.dumps({"error": "there is one TPU here", "input": None, "unavailable": True}), flush=True)
    sys.exit(1)
"""
SHIFTS_ON_TPU = "labels = np.roll(labels, 3 if arguments.device == 'tpu' else 0, axis=-1)"


@pytest.fixture(scope="module")
def compare(package: Path, write_runtime: Write, squares: NamedImage) -> Callable[[list[str]], Report]:
    """Validate a runtime of the CPU and one that also runs on TPUs, on devices."""
    plain = write_runtime("plain", source=program(), more="rank = 1")
    more = 'rank = 2\ndevices = ["cpu", "tpu"]'
    both = write_runtime("both", source=program(ONE_TPU, SHIFTS_ON_TPU), more=more)

    def validated(devices: list[str]) -> Report:
        return validate(package, runtimes=[str(plain), str(both)], images=[squares], devices=devices, trust=True)

    return validated


@pytest.fixture(scope="module")
def report(compare: Callable[[list[str]], Report]) -> Report:
    return compare(["cpu", "tpu", "tpu:1"])


def test_there_is_a_row_for_each_runtime_and_device(report: Report) -> None:
    assert {(row.name, row.device): (row.status, row.why) for row in report.runtimes} == {
        ("plain", "cpu"): ("passed", ""),
        ("both", "cpu"): ("passed", ""),
        ("plain", "tpu"): ("not run", "it runs on cpu only"),
        ("both", "tpu"): ("failed", "squares: labels are shifted by (0, 3); its stages cannot be read"),
        ("plain", "tpu:1"): ("not run", "it runs on cpu only"),
        ("both", "tpu:1"): ("not run", "there is one TPU here"),
    }
    assert [(row.name, row.device) for row in report.runtimes if row.reference] == [("plain", "cpu")]
    assert report.status == "failed"
    for device, status in (("cpu", "passed"), ("tpu", "failed"), ("tpu:1", "not run")):
        assert [result.status for result in report.results_of("both", device)] == [status]


def test_every_rendering_names_the_device(report: Report, tmp_path: Path) -> None:
    written = report.write(tmp_path)
    assert Report.read(written[0]) == report
    markdown, html = (path.read_text() for path in written[1:])
    assert "| both on tpu | ✗ failed |" in markdown
    assert "- **both on tpu** on **squares**: labels are shifted by (0, 3)" in markdown
    assert "<td>both on tpu:1</td>" in html
    assert "both on tpu on squares: labels are shifted" in html  # a picture's caption
    assert "both on tpu disagrees or fails on 1 of 1" in report.summary()
    assert "plain on tpu, plain on tpu:1 were not run: it runs on cpu only." in report.summary()


def test_the_reference_runs_on_the_cpu_where_nobody_asked_for_that(compare: Callable[[list[str]], Report]) -> None:
    report = compare(["tpu"])
    assert [(row.name, row.device, row.reference) for row in report.runtimes] == [
        ("plain", "cpu", True),
        ("plain", "tpu", False),
        ("both", "tpu", False),
    ]
    assert report.status == "failed"


@pytest.mark.parametrize("devices", [[], "cuda", [""]])
def test_no_device_at_all_is_refused(package: Path, devices: list[str]) -> None:
    with pytest.raises(SettingError, match="is no list of devices"):
        validate(package, devices=devices)
