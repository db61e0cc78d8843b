"""All formats in all runtimes of this machine, in one report: of the demo and of genuine checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from instanseg_export import export
from instanseg_export.parity.report import Report
from instanseg_export.runtimes.build import CACHE_VARIABLE, build
from instanseg_export.runtimes.registry import list_runtimes
from support.paths import DEMO, VARIANTS

pytestmark = pytest.mark.slow

TARGETS = ("torchscript", "onnx", "onnx_static", "exported_program", "coreml", "executorch")

PYTHON = {
    "torch_eager",
    "torchscript",
    "onnxruntime",
    "onnxruntime_unoptimised",
    "onnxruntime_static",
    "openvino",
    "exported_program",
    "coreml_interpreter",
    "executorch",
}
JAVA = {"djl_libtorch_2_0", "djl_libtorch_2_5", "djl_libtorch_2_7", "onnxruntime_java", "onnxruntime_java_1_20"}
JAVASCRIPT = {"onnxruntime_node", "onnxruntime_web_wasm"}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[str]]:
    """The names of the runtimes that this machine can run, built where they have to be."""
    tools = {"java": JAVA, "node": JAVASCRIPT}
    names = PYTHON.union(*(some for tool, some in tools.items() if shutil.which(tool)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        for runtime in list_runtimes():
            if runtime.name in names:
                assert build(runtime) == ""
        yield names


@pytest.mark.parametrize("name", ["demo", *VARIANTS])
def test_every_runtime_finds_the_same_cells(name: str, here: set[str], shared: Path, tmp_path: Path) -> None:
    checkpoint = DEMO if name == "demo" else shared / "checkpoints" / name
    channels = 3 if name == "nuclei_cells_channelnet" else None
    exported = export(checkpoint, targets=TARGETS, output=tmp_path / name, static_channels=channels)
    report = exported.report
    assert isinstance(report, Report)
    assert report.passed
    found = {row.name: row for row in report.runtimes}
    assert {name for name, row in found.items() if row.status == "passed"} == here
    for row in found.values():
        assert row.name in here or row.status == "not run"
        assert row.name in here or row.why
