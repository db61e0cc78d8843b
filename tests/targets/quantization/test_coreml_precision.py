"""Core ML programs in float16: which part is, what they find beside fp32, and where that is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from instanseg_export import (
    ExportError,
    ParityError,
    build_forward,
    export,
    inspect,
    load_checkpoint,
    read_image,
    validate,
)
from instanseg_export.api.export import ExportResult
from instanseg_export.api.inspect import ModelFacts
from instanseg_export.images.image_sets import calibration_set
from instanseg_export.images.named import NamedImage
from instanseg_export.parity.precision_records import Score, require_kept
from instanseg_export.parity.precision_sets import precision_files
from instanseg_export.parity.quantization import compare_precisions
from instanseg_export.targets import require_metadata, write_artifact
from instanseg_export.targets.quantization import check_precisions, write_reduced
from instanseg_export.targets.static import StaticShape
from instanseg_export.testing.small_forward import Mean, SmallForward, small_checkpoint
from support.paths import DEMO, DEMO_IMAGES

pytest.importorskip("coremltools")

SIDE = 96
FP32, FP16 = "model.mlpackage", "model.fp16.mlpackage"
INTERPRETER = "Core ML program, interpreted"
PROGRAM = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    """The demo, compared on its samples."""
    return export(
        DEMO,
        targets=["torchscript", "coreml"],
        precision=["fp16"],
        static_size=(SIDE, SIDE),
        static_seeds=64,
        output=tmp_path_factory.mktemp("precision") / "demo",
        validate=False,
    )


def _program(path: Path) -> list[Any]:
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model()
    spec.ParseFromString((path / PROGRAM).read_bytes())
    (block,) = spec.mlProgram.functions["main"].block_specializations.values()
    return list(block.operations)


def _types(path: Path) -> dict[str, set[int]]:
    """Return the types of numbers that each kind of operation gives."""
    found: dict[str, set[int]] = {}
    for operation in _program(path):
        for output in operation.outputs:
            found.setdefault(operation.type, set()).add(output.type.tensorType.dataType)
    return found


@pytest.mark.slow
def test_the_network_is_in_float16_and_what_follows_in_float32(result: ExportResult) -> None:
    from coremltools.proto import MIL_pb2

    plain, half = _types(result.folder / FP32), _types(result.folder / FP16)
    float16 = MIL_pb2.FLOAT16
    assert all(float16 not in types for types in plain.values())
    assert half["conv"] == half["max_pool"] == {float16}
    rest = set(half) - {"const", "cast", "conv", "relu", "max_pool", "add", "concat", "upsample_nearest_neighbor"}
    rest -= {"pad", "slice_by_index", "reshape", "transpose", "gather", "split", "mul", "sub", "fill"}
    assert {"topk", "scatter_along_axis", "reduce_max", "sigmoid"} & rest
    assert all(float16 not in half[name] for name in rest)
    sizes = [(result.folder / name / WEIGHTS).stat().st_size for name in (FP32, FP16)]
    assert sizes[1] < 0.55 * sizes[0]


@pytest.mark.slow
def test_it_says_what_it_is(result: ExportResult) -> None:
    plain, half = require_metadata(result.folder / FP32), require_metadata(result.folder / FP16)
    assert half == plain.model_copy(update={"precision": "fp16", "graph_sha256": half.graph_sha256})
    assert half.graph_sha256 != plain.graph_sha256
    alone, whole = inspect(result.folder / FP16), inspect(result.folder)
    assert isinstance(alone, ModelFacts)
    assert isinstance(whole, ModelFacts)
    assert (alone.precision, alone.files) == ("fp16", {"coreml": FP16})
    assert whole.files == {"torchscript": "instanseg.pt", "coreml": FP32, "coreml-fp16": FP16}


@pytest.mark.slow
def test_it_is_judged_beside_fp32_in_the_same_runtime(result: ExportResult) -> None:
    (record,) = result.precisions
    assert (record.file, record.reference) == (FP16, FP32)
    assert record.runtime == record.reference_runtime == INTERPRETER
    assert record.decides
    assert (record.status, record.images) == ("passed", 2)
    assert record.source == "the samples of the package, each cut or mirrored to 96 x 96 pixels"
    assert record.fp32_instances > 5
    assert record.matched == record.fp32_instances
    readme = (result.folder / "nuclei_dsb2018_README.md").read_text()
    assert f"- `{FP16} in {INTERPRETER}`\n  - Result: ✓ passed\n" in readme
    assert f"Compared with {FP32} (fp32) in {INTERPRETER} on the samples" in readme.replace("\\", "")
    attached = {entry["source"] for entry in yaml.safe_load((result.folder / "rdf.yaml").read_text())["attachments"]}
    assert f"{FP16}/{PROGRAM}" in attached


@pytest.mark.slow
def test_a_validation_compares_it_again(result: ExportResult, tmp_path: Path) -> None:
    image = NamedImage("piece", read_image(DEMO_IMAGES / "histology.png").array[:, :SIDE, :SIDE], "given", sample=True)
    report = validate(result.folder, images=[image])
    (record,) = report.precisions
    assert (record.file, record.runtime, record.status) == (FP16, INTERPRETER, "passed")
    assert record.sha256 == result.precisions[0].sha256
    assert f"{FP16} in {INTERPRETER}: 100.0% of its instances" in report.summary()
    report.write(tmp_path / "report")
    assert f"{FP16} in {INTERPRETER}" in (tmp_path / "report" / "report.html").read_text()


def _small(folder: Path, network: nn.Module | None, side: int) -> Callable[[str], Path | None]:
    """Write both files of a small forward, and return what finds them."""
    forward, checkpoint = SmallForward(network), small_checkpoint()
    write_artifact("coreml", forward, checkpoint, folder / FP32, StaticShape(side, side, 8))
    (reduced,) = check_precisions(["fp16"], ["torchscript", "coreml"])
    artifact = write_reduced(reduced, forward, calibration_set([], []), folder)
    assert artifact.size == sum(path.stat().st_size for path in artifact.path.rglob("*") if path.is_file())
    return {FP32: folder / FP32, FP16: artifact.path}.get


def test_labels_are_cut_like_their_images(tmp_path: Path) -> None:
    """An image that is wider than the files take, and less high."""
    image = np.zeros((3, 20, 60), np.float32)
    image[:, 3:9, 4:12] = image[:, 8:20, 25:45] = 200
    truth = SmallForward()(torch.from_numpy(image[None]))[0].numpy().astype(np.int64)
    find = _small(tmp_path, None, 32)
    (compared,) = precision_files(find, [], "nothing", [(image, truth)])
    ((fitted, cut),) = compared.labelled
    assert fitted.shape == (3, 32, 32)
    np.testing.assert_array_equal(fitted[:, :20], image[:, :, :32])
    np.testing.assert_array_equal(fitted[:, 20:], image[:, :7:-1, :32])
    np.testing.assert_array_equal(cut, truth[:, :, :32])
    (record,) = compare_precisions(compared)
    assert (record.status, record.labelled_images) == ("passed", 1)
    assert record.fp32_score == Score(f1_mu=1.0, f1_50=1.0), "what is mirrored is held against no label"
    assert record.delta_f1_mu == 0
    # Settings are fixed in this format, so there is nothing to compare where they are others.
    assert precision_files(find, [], "nothing", overridden=True) == []


class _Large(Mean):
    """The same in float32. In float16 it is beyond the largest number, and no number after that."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full([1], 60000.0))

    def forward(self, image: Tensor) -> Tensor:
        mean = super().forward(image)
        large = (mean + 0.1) * self.factor * self.factor
        return large * mean / large


def test_what_float16_cannot_hold_is_refused(tmp_path: Path) -> None:
    image = np.zeros((3, 32, 32), np.float32)
    image[:, 8:20, 8:25] = 200
    (compared,) = precision_files(_small(tmp_path, _Large(), 32), [image, image.swapaxes(1, 2)], "two images")
    (record,) = compare_precisions(compared)
    assert (record.status, record.fp32_instances, record.instances) == ("failed", 2, 0)
    with pytest.raises(ParityError, match=r"model\.fp16\.mlpackage loses too much: only 0\.0%") as caught:
        require_kept([record])
    assert "--allow-loss" in caught.value.hint
    require_kept([record.model_copy(update={"allowed": True})])


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["nuclei_cells_channelnet", "multihead_seeds2_coords4"])
def test_other_networks_are_converted_too(shared: Path, tmp_path: Path, variant: str) -> None:
    """With instance norm, and numbers beside tensors."""
    checkpoint = load_checkpoint(shared / "checkpoints" / variant)
    forward = build_forward(checkpoint)
    channels = forward.channels or 2
    static = StaticShape(SIDE, SIDE, 64, None if forward.channels else channels)
    write_artifact("coreml", forward, checkpoint, tmp_path / FP32, static)
    (reduced,) = check_precisions(["fp16"], ["coreml"])
    write_reduced(reduced, forward, calibration_set([], []), tmp_path)
    image = read_image(shared / "data/examples/Fluorescence_example.tif").array[:, 130 : 130 + SIDE, 210 : 210 + SIDE]
    image = np.concatenate([image] * channels)[:channels].astype(np.float32)
    (compared,) = precision_files({FP32: tmp_path / FP32, FP16: tmp_path / FP16}.get, [image], "a piece")
    (record,) = compare_precisions(compared)
    assert record.status == "passed", record
    assert record.instances > 2
    assert _types(tmp_path / FP16)["conv"] == _types(tmp_path / FP16)["relu"]


@pytest.mark.parametrize(
    ("precision", "targets", "expected"),
    [
        (["fp16"], ["onnx", "coreml"], ["onnx-fp16", "coreml-fp16"]),
        (["fp32", "int8", "fp16", "int8"], ["coreml", "onnx"], ["onnx-int8", "onnx-fp16", "coreml-fp16"]),
        (["fp16"], ["torchscript", "coreml"], ["coreml-fp16"]),
        (["fp32"], ["torchscript"], []),
    ],
)
def test_each_precision_is_made_of_every_file_that_it_can(
    precision: list[str], targets: list[str], expected: list[str]
) -> None:
    assert [one.name for one in check_precisions(precision, targets)] == expected


@pytest.mark.parametrize(
    ("precision", "targets", "words", "remedy"),
    [
        (["fp16"], ["torchscript"], "fp16 is made from the ONNX file or the Core ML program", "Add onnx or coreml"),
        (["fp16", "int8"], ["torchscript", "coreml"], "int8 is made from the ONNX file, but", "Add onnx to"),
    ],
)
def test_a_precision_of_nothing_is_refused(precision: list[str], targets: list[str], words: str, remedy: str) -> None:
    with pytest.raises(ExportError, match=words) as caught:
        check_precisions(precision, targets)
    assert remedy in caught.value.hint
