"""The demo's exported files in every runtime: they agree, settings reach all of them, and planted defects are named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from instanseg_export.api.validate import validate
from instanseg_export.images.named import NamedImage
from instanseg_export.images.synthetic import standard_images
from instanseg_export.parity.report import Report
from instanseg_export.runtimes.registry import builtin_folder

WriteRuntime = Callable[..., Path]

ALL = {"torch_eager", "torchscript", "onnxruntime", "onnxruntime_unoptimised"}

PASS_ON = """
import runpy, sys
sys.argv = [{runner!r}, *sys.argv[1:], "--settings", '{{"normalize": "never"}}']
runpy.run_path({runner!r}, run_name="__main__")
"""


def images(*names: str) -> list[NamedImage]:
    return [image for image in standard_images(3) if image.name in names]


def outcome(report: Report) -> dict[str, str]:
    return {runtime.name: runtime.status for runtime in report.runtimes}


@pytest.fixture(scope="module")
def planted(demo_package: Path, write_runtime: WriteRuntime, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The demo beside a copy whose weights were changed a little, and an ONNX Runtime that does not normalise."""
    folder = tmp_path_factory.mktemp("planted") / "package"
    folder.mkdir()
    for name in ("instanseg.pt", "model.onnx"):
        shutil.copy(demo_package / name, folder)
    module = torch.jit.load(str(folder / "instanseg.pt"))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(1 + 0.02 * torch.randn(weight.shape, generator=generator))
    module.save(folder / "drifted.pt")
    runner = str(builtin_folder() / "onnxruntime" / "runner.py")
    runtimes = [
        *ALL,
        str(write_runtime("drifted", filename="drifted.pt")),
        str(write_runtime("raw", source=PASS_ON.format(runner=runner), filename="model.onnx")),
    ]
    return validate(folder, runtimes=runtimes, images=images("nuclei"), trust=True)  # since one was changed


def test_every_runtime_finds_the_same_cells(planted: Report) -> None:
    assert {name for name, status in outcome(planted).items() if status == "passed"} == ALL
    assert planted.model == "nuclei_dsb2018"
    assert planted.reference is not None
    assert planted.reference.name == "torch_eager"
    (result,) = planted.results_of("onnxruntime")
    assert result.instances is not None
    assert result.instances > 20


@pytest.mark.parametrize(
    ("runtime", "name", "stage"),
    [
        ("drifted", "the weights drifted: the network's output differs", "network"),
        ("raw", "an overall different normalisation", "normalize"),
    ],
)
def test_defects_of_a_real_model_are_named(planted: Report, runtime: str, name: str, stage: str) -> None:
    (result,) = planted.results_of(runtime)
    assert result.status == "failed"
    assert result.defect.startswith(name)
    assert result.first_stage == stage
    assert result.stages
    assert [row.stage for row in result.stages] == ["normalize", "network", "seeds", "cluster", "paint", "labels"]


def test_settings_reach_every_runtime(demo_package: Path) -> None:
    plain = validate(demo_package, images=images("nuclei", "one row"), runtimes=["torchscript"])
    strict = validate(
        demo_package,
        images=images("nuclei", "one row"),
        settings={"seed_threshold": 0.97, "min_size": 40, "cleanup_fragments": False, "normalize": "always"},
        runtimes=[*ALL],
    )
    assert outcome(strict) == dict.fromkeys(ALL, "passed")
    counts = [report.results_of("torchscript")[0].instances or 0 for report in (plain, strict)]
    assert 0 < counts[1] < counts[0]


def test_a_setting_that_onnx_fixes_is_not_run_there(demo_package: Path) -> None:
    report = validate(demo_package, images=images("nuclei"), settings={"window_size": 20}, runtimes=[*ALL])
    assert outcome(report) == {
        "torch_eager": "passed",
        "torchscript": "passed",
        "onnxruntime": "not run",
        "onnxruntime_unoptimised": "not run",
    }
    assert "the setting window_size is fixed at export" in next(
        runtime.why for runtime in report.runtimes if runtime.name == "onnxruntime"
    )
    assert report.passed, report.summary()


def test_one_file_alone_is_compared_with_what_can_run_it(demo_package: Path) -> None:
    report = validate(demo_package / "model.onnx", images=images("narrow"), runtimes=[*ALL])
    assert outcome(report) == {
        "torch_eager": "not run",
        "torchscript": "not run",
        "onnxruntime": "passed",
        "onnxruntime_unoptimised": "passed",
    }
    assert report.passed, report.summary()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without an NVIDIA GPU")
def test_a_device_that_is_not_there_is_not_run(demo_package: Path) -> None:
    report = validate(demo_package, images=images("one pixel"), devices=["cuda"], runtimes=[*ALL, "onnxruntime_tf32"])
    rows = {row.name: row for row in report.runtimes if row.device == "cuda"}
    assert {row.status for row in rows.values()} == {"not run"}
    assert rows.keys() == {*ALL, "onnxruntime_tf32"}
    assert rows["onnxruntime_tf32"].why == rows["onnxruntime"].why
    assert rows["onnxruntime"].why.startswith("ONNX Runtime could not use CUDA and fell back to CPU")
    assert report.status == "not run"
    assert "PyTorch finds no CUDA device here" in report.summary()


def test_a_model_with_another_number_of_channels_is_told_by_its_description(
    demo_package: Path, squares: NamedImage
) -> None:
    from instanseg_export.errors import ImageError

    with pytest.raises(ImageError, match="squares has 2 channels, but the model takes 3"):
        validate(demo_package, images=[squares])
