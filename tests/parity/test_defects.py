"""Defects that are planted in a file are caught and named, on the whole path from file to report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_model import TinySegmenter

from instanseg_export.api.validate import validate
from instanseg_export.images.named import NamedImage
from instanseg_export.parity.report import Report

WriteRuntime = Callable[..., Path]

DEFECTS = {
    "shifted": ({"shift": 3}, "labels are shifted by (0, 3)", "labels"),
    "dropped": ({"drop": 4}, "2 instances are missing", "labels"),  # one in each of the two images of the batch
    "permuted": ({"permute": 1}, "the same instances under permuted ids", "labels"),
    "rescaled": ({"scale": 0.9}, "an overall different normalisation", "normalize"),
    "drifted": ({"drift": 0.025}, "the weights drifted", "network"),
    "widened": ({"grow": 1}, "the outlines differ in", "labels"),
}
HIDDEN = {
    "brighter": ({"scale": 1.01}, "normalize"),
    "drifted_unseen": ({"drift": 0.001}, "network"),
}
"""The labels are the same, to the pixel; what they are made from is not."""
SOUND = {"drifted_a_little": {"drift": 1e-6}}


@pytest.fixture(scope="module")
def report(package: Path, write_runtime: WriteRuntime, squares: NamedImage) -> Report:
    """One validation of a sound file and of all the defective ones, each run by the TorchScript runner."""
    runtimes = ["torchscript"]
    planted = {name: row[0] for name, row in (DEFECTS | HIDDEN).items()}  # type: ignore[operator]
    for name, arguments in {**planted, **SOUND}.items():
        torch.jit.script(TinySegmenter(**arguments)).save(package / f"{name}.pt")
        runtimes.append(str(write_runtime(name, filename=f"{name}.pt")))
    image = NamedImage("squares", squares.array, "ten squares", sample=True)
    return validate(package, runtimes=runtimes, images=[image], time_limit=60, trust=True)


@pytest.mark.parametrize("planted", DEFECTS)
def test_a_planted_defect_is_caught_and_named(report: Report, planted: str) -> None:
    _, name, stage = DEFECTS[planted]
    (result,) = report.results_of(planted)
    assert result.status == "failed"
    assert result.defect.startswith(name)
    assert result.first_stage == stage
    assert result.comparison is not None
    assert not result.comparison.agrees
    assert result.defect in report.summary()
    assert planted in {picture.runtime for picture in report.pictures}


def test_defects_fail_the_whole_report_and_sound_files_do_not_hide_them(report: Report) -> None:
    assert report.status == "failed"
    assert not report.passed
    assert {row.name for row in report.runtimes if row.status == "failed"} == {*DEFECTS, *HIDDEN}


@pytest.mark.parametrize("planted", HIDDEN)
def test_a_stage_beyond_its_tolerance_does_not_pass_under_equal_labels(report: Report, planted: str) -> None:
    (result,) = report.results_of(planted)
    assert result.comparison is not None
    assert result.comparison.differing_pixels == 0
    assert result.status == "failed"
    assert result.first_stage == HIDDEN[planted][1]
    assert f"the labels agree, but the stage {HIDDEN[planted][1]} differs by more than rounding" in report.summary()


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_file_passes(report: Report, name: str) -> None:
    (result,) = report.results_of(name)
    assert result.status == "passed"
    assert result.instances == 20
    assert result.comparison is not None
    assert result.comparison.matched_99 == 20
    assert result.comparison.differing_pixels == 0


def test_a_sample_reports_the_network_difference_even_where_all_agree(report: Report) -> None:
    (drifted,) = report.results_of("drifted_a_little")
    assert drifted.network_difference is not None
    assert 1e-8 < drifted.network_difference < 1e-4
