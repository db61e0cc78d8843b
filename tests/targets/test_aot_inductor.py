"""A compiled .pt2 file: where it works it finds the same, where it does not it is refused, and it needs trust."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from instanseg_export import build_forward, load_checkpoint, run, validate
from instanseg_export.errors import ExportError, UntrustedFileError
from instanseg_export.targets import TARGETS, write_artifact
from instanseg_export.testing.small_forward import SmallForward, small_checkpoint
from support.iaunet_models import RESNET, random_checkpoint
from support.paths import DEMO_IMAGES

NAME = TARGETS.get("aot_inductor").filename


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if reason := TARGETS.get("aot_inductor").unavailable():
        pytest.skip(reason)
    path = tmp_path_factory.mktemp("small") / NAME
    write_artifact("aot_inductor", SmallForward(), small_checkpoint(), path)
    return path


def test_a_loop_over_objects_is_refused_in_words(tmp_path: Path) -> None:
    checkpoint = random_checkpoint(RESNET)
    with pytest.raises(ExportError, match="as many objects as an image has") as caught:
        write_artifact("aot_inductor", build_forward(checkpoint), checkpoint, tmp_path / NAME)
    assert "exported_program" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_machine_code_is_run_only_once_it_is_trusted(small: Path) -> None:
    with pytest.raises(UntrustedFileError, match="machine code") as caught:
        run(small, DEMO_IMAGES / "histology.png", output=small.parent / "results")
    assert "--trust" in caught.value.hint


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "C++ compiler" in str(TARGETS.get("aot_inductor").unavailable())


@pytest.mark.slow
def test_embedseg_compiled_finds_the_same_objects(shared: Path, tmp_path: Path) -> None:
    """With trained weights, on real images and sizes that were never seen while it was compiled."""
    checkpoint = load_checkpoint(shared / "checkpoints/embedseg_2d")
    forward = build_forward(checkpoint)
    folder = tmp_path / "model"
    folder.mkdir()
    write_artifact("torchscript", forward, checkpoint, folder / "instanseg.pt")
    write_artifact("aot_inductor", forward, checkpoint, folder / NAME)
    report = validate(folder, runtimes=["torchscript", "aot_inductor"], trust=True)
    assert report.passed
    (row,) = (one for one in report.runtimes if one.name == "aot_inductor")
    assert row.status == "passed"
    assert sum(result.instances or 0 for result in report.results_of("aot_inductor", "cpu")) > 100
