"""Models of the zoo export to the same bytes on each run, and runtimes find in them what was recorded."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from instanseg_export.files import MARKER, files_in
from instanseg_export.model_zoo.__main__ import main
from instanseg_export.model_zoo.folder import CHECKPOINT_FILE, PARITY_FILE, read_model, read_records
from instanseg_export.parity.report import Report
from support.parity_records import comparable, ran_in_both
from support.paths import DEMO, ROOT
from support.processes import environment

ZOO = ROOT / "model_zoo"
MODELS = sorted(path.parent.name for path in ZOO.glob(f"*/{CHECKPOINT_FILE}"))


def assert_as_recorded(name: str, fresh: Report) -> Report:
    recorded = Report.read(ZOO / name / PARITY_FILE)
    runtimes = ran_in_both(recorded, fresh)
    assert {"torch_eager", "torchscript", "onnxruntime"} <= {runtime for runtime, _ in runtimes}
    again = f"python -m instanseg_export.model_zoo model_zoo/{name} --parity"
    assert comparable(fresh, runtimes) == comparable(recorded, runtimes), f"record it again: {again}"
    return recorded


def test_the_recorded_report_of_the_demo_equals_a_fresh_one(demo_package: Path) -> None:
    assert_as_recorded(DEMO.parent.name, Report.read(demo_package / "parity" / "report.json"))


def _export(name: str, place: Path, seed: int) -> Path:
    place.mkdir()
    words = ("-m", "instanseg_export", str(ZOO / name / CHECKPOINT_FILE), "--targets", "torchscript", "onnx")
    done = subprocess.run(
        [sys.executable, *words, "--output", "package"],
        cwd=place,
        env=environment(PYTHONHASHSEED=str(seed)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "package"


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_model_exports_to_the_same_bytes(name: str, tmp_path: Path) -> None:
    """Twice here, and once where it was recorded, if PyTorch and this package were of the same version there."""
    one, two = (_export(name, tmp_path / place, seed) for seed, place in enumerate(("one", "two"), start=1))

    def content(folder: Path) -> dict[str, bytes]:
        names = {path.relative_to(folder).as_posix(): path for path in files_in(folder)}
        return {key: path.read_bytes() for key, path in names.items() if key != MARKER and "parity/" not in key}

    assert {"instanseg.pt", "model.onnx", f"{name}.zip"} <= content(one).keys()
    assert content(one) == content(two)
    fresh = Report.read(one / "parity" / "report.json")
    recorded = assert_as_recorded(name, fresh)
    if _versions(fresh) == _versions(recorded):
        assert _hashes(fresh) == _hashes(recorded)


def _versions(report: Report) -> tuple[str, str]:
    return report.machine.exporter, next(row.version for row in report.runtimes if row.name == "torch_eager")


def _hashes(report: Report) -> set[tuple[str, str]]:
    return {(row.target, row.model_sha256) for row in report.runtimes if row.status != "not run"}


@pytest.mark.slow
def test_recording_makes_all_of_a_page(demo_package: Path, tmp_path: Path) -> None:
    """A folder with card and checkpoint becomes a model of the zoo by one command."""
    folder = tmp_path / "zoo" / "mine"
    folder.mkdir(parents=True)
    for name in ("card.yaml", "checkpoint.pt"):
        shutil.copy(DEMO.parent / name, folder)
    for part, ending in (("images", ""), ("labels", "-labels")):
        (tmp_path / "data" / part).mkdir(parents=True)
        for kind in ("histology", "fluorescence"):
            shutil.copy(demo_package / f"sample-{kind}{ending}.tif", tmp_path / "data" / part / f"{kind}.tif")
    (tmp_path / "data" / "index.csv").write_text("id,type,split\nhistology,h,val\nfluorescence,f,train\n")
    words = [str(folder), "--parity", "--evaluate", str(tmp_path / "data"), "--only", "split=val"]
    assert main(words) == 0
    records = read_records(read_model(folder))
    assert [image.name for image in records.evaluation.images] == ["histology"]
    assert records.evaluation.scores[0].scores["f1"].value == 1
    assert records.parity.passed
    assert records.parity.pictures == ()
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert "data data --only split=val" in page
    assert "0 of 46 instances are missed" in page
    assert (tmp_path / "zoo" / "index.json").is_file()
    assert str(tmp_path) not in page + (folder / "evaluation.json").read_text() + (folder / "parity.json").read_text()
    assert main([str(folder), "--parity"]) == 0, "what it recorded, it replaces"
