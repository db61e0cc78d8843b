"""A compiled .pt2 file: where it works it finds the same, where it does not it is refused, and it needs trust."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from instanseg_export import build_forward, export, inspect, load_checkpoint, run, validate
from instanseg_export.api.inspect import CheckpointFacts
from instanseg_export.errors import ExportError, PackageError, UntrustedFileError
from instanseg_export.targets import TARGETS, write_artifact
from instanseg_export.targets.capture import capture
from instanseg_export.targets.program import calls
from instanseg_export.testing.small_forward import SmallForward, small_checkpoint
from support.embedseg_runs import write_embedseg_run
from support.iaunet_models import RESNET, random_checkpoint
from support.paths import DEMO, DEMO_IMAGES

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
    with pytest.raises(ExportError, match="one object of an image after another") as caught:
        write_artifact("aot_inductor", build_forward(checkpoint), checkpoint, tmp_path / NAME)
    assert "exported_program" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_refusal_comes_before_anything_is_written(tmp_path: Path) -> None:
    told: list[object] = []
    with pytest.raises(ExportError, match="one object of an image after another"):
        export(
            DEMO,
            targets=["torchscript", "aot_inductor"],
            output=tmp_path / "model",
            progress=lambda *what: told.extend(what),
        )
    assert "reading the checkpoint" in told
    assert not any("writing" in str(one) for one in told)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("family", ["instanseg", "embedseg", "iaunet"])
def test_only_forwards_with_open_loops_say_so(family: str, tmp_path: Path) -> None:
    """What is captured shows it: a loop over the rows of a tensor, whose number is in no shape."""
    makers = {
        "instanseg": lambda: load_checkpoint(DEMO),
        "embedseg": lambda: load_checkpoint(write_embedseg_run(tmp_path / "run", 2)),
        "iaunet": lambda: random_checkpoint(RESNET),
    }
    forward = build_forward(makers[family]())
    loops = list(calls(capture(forward, ()).program, torch.ops.higher_order.scan))
    assert bool(loops) == forward.open_loops


def test_inspect_lists_the_formats_that_can_be_written(tmp_path: Path) -> None:
    here = {target.name for target in TARGETS if target.unavailable() is None}
    demo, run = inspect(DEMO), inspect(write_embedseg_run(tmp_path / "run", 2))
    assert isinstance(demo, CheckpointFacts)
    assert isinstance(run, CheckpointFacts)
    assert set(demo.exports_to) == here - {"aot_inductor"}
    assert set(run.exports_to) == here - {"onnx_static", "coreml"}


def test_machine_code_is_run_only_once_it_is_trusted(small: Path) -> None:
    with pytest.raises(UntrustedFileError, match="machine code") as caught:
        run(small, DEMO_IMAGES / "histology.png", output=small.parent / "results")
    assert "--trust" in caught.value.hint


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "C++ compiler" in str(TARGETS.get("aot_inductor").unavailable())


@pytest.mark.slow
@pytest.mark.parametrize("family", ["instanseg", "embedseg", "iaunet"])
def test_the_network_alone_of_every_family_is_compiled(family: str, tmp_path: Path) -> None:
    makers = {
        "instanseg": lambda: load_checkpoint(DEMO),
        "embedseg": lambda: load_checkpoint(write_embedseg_run(tmp_path / "run", 2)),
        "iaunet": lambda: random_checkpoint(RESNET),
    }
    result = export(
        makers[family](),
        targets=["torchscript", "aot_inductor_network"],
        static_size=(64, 96),
        output=tmp_path / "model",
    )
    assert result.report is not None
    assert result.report.passed
    (row,) = (one for one in result.report.runtimes if one.name == "aot_inductor_network")
    assert row.status == "passed"
    with pytest.raises(PackageError, match="network alone"):
        run(tmp_path / "model" / "network_compiled.pt2", DEMO_IMAGES / "histology.png", trust=True, output=tmp_path)


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
