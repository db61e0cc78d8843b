"""Core ML programs of genuine networks, executed by the interpreter; and packages that are damaged or changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from instanseg_export import build_forward, load_checkpoint, read_image
from instanseg_export.errors import ExportError, PackageError
from instanseg_export.families.base import SegmentationForward
from instanseg_export.runtimes.process import run_runtime
from instanseg_export.runtimes.registry import find_runtime
from instanseg_export.targets import TARGETS, require_metadata, write_artifact
from instanseg_export.targets.static import StaticShape
from support.paths import DEMO

pytest.importorskip("coremltools")

SIDE, SEEDS = 96, 64
PROGRAM = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"


def _write(checkpoint_path: Path, folder: Path, channels: int | None = None) -> tuple[Path, SegmentationForward]:
    checkpoint = load_checkpoint(checkpoint_path)
    forward = build_forward(checkpoint)
    path = folder / "model.mlpackage"
    write_artifact("coreml", forward, checkpoint, path, StaticShape(SIDE, SIDE, SEEDS, channels))
    return path, forward


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SegmentationForward]:
    return _write(DEMO, tmp_path_factory.mktemp("coreml"))


def _check(path: Path, forward: SegmentationForward, images: list[np.ndarray], folder: Path) -> list[int]:
    """Compare what the interpreter finds with the forward; return the number of instances in each image."""
    inputs = [folder / f"{place}.npy" for place in range(len(images))]
    for place, image in zip(inputs, images, strict=True):
        np.save(place, image)
    outputs = [place.with_suffix(".npz") for place in inputs]
    counts = []
    for image, outcome in zip(
        images, run_runtime(find_runtime("coreml_interpreter"), path, inputs, outputs), strict=True
    ):
        assert outcome.error == ""
        assert outcome.incomplete() == ("", False)
        with torch.inference_mode():
            expected = forward(torch.from_numpy(image)).numpy()
        np.testing.assert_array_equal(outcome.labels(), expected)
        counts.append(int(expected.max()))
    return counts


def _pieces(shared: Path, channels: int) -> list[np.ndarray]:
    images = []
    for name in ("Fluorescence_example.tif", "HE_example.tif"):
        array = read_image(shared / "data/examples" / name).array[:, 130 : 130 + SIDE, 210 : 210 + SIDE]
        repeated = np.concatenate([array] * channels)[:channels]
        images.append(np.ascontiguousarray(repeated[None], dtype=np.float32))
    return images


def test_the_demo_finds_the_same_cells(demo: tuple[Path, SegmentationForward], shared: Path, tmp_path: Path) -> None:
    images = _pieces(shared, 3)
    images.append(np.full_like(images[0], np.nan))
    found = _check(*demo, images, tmp_path)
    assert found[0] > 5
    assert found[1] > 0
    assert found[2] == 0


@pytest.mark.slow
def test_nuclei_and_cells_in_any_number_of_channels(shared: Path, tmp_path: Path) -> None:
    path, forward = _write(shared / "checkpoints/nuclei_cells_channelnet", tmp_path, channels=2)
    assert require_metadata(path).image_shape == (1, 2, SIDE, SIDE)
    assert _check(path, forward, _pieces(shared, 2), tmp_path)[0] > 2


def test_weights_are_stored_and_indices_are_computed(demo: tuple[Path, SegmentationForward]) -> None:
    weights = sum(tensor.numel() for tensor in load_checkpoint(DEMO).network.state_dict().values())
    assert (demo[0] / WEIGHTS).stat().st_size < 1.05 * 4 * weights
    assert (demo[0] / PROGRAM).stat().st_size < 3e6


def test_no_two_values_of_a_program_have_one_name(demo: tuple[Path, SegmentationForward]) -> None:
    """A saved program knows values by their names alone, and coremltools' passes give some twice."""
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model()
    spec.ParseFromString((demo[0] / PROGRAM).read_bytes())
    (block,) = spec.mlProgram.functions["main"].block_specializations.values()
    names = [output.name for operation in block.operations for output in operation.outputs]
    assert len(set(names)) == len(names) > 100


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no manifest": lambda path: (path / "Manifest.json").unlink(),
    "no program": lambda path: (path / PROGRAM).unlink(),
    "an empty program": lambda path: (path / PROGRAM).write_bytes(b""),
    "a program of noise": lambda path: (path / PROGRAM).write_bytes(b"\x07\xff" * 500),
    "a program cut short": lambda path: _cut(path / PROGRAM),
    "weights cut short": lambda path: _cut(path / WEIGHTS),
    "no weights": lambda path: (path / WEIGHTS).unlink(),
    "a bit of the weights": lambda path: _flip(path / WEIGHTS),
    "a bit of the program": lambda path: _flip(path / PROGRAM),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_refused_in_words(demo: tuple[Path, SegmentationForward], tmp_path: Path, name: str) -> None:
    path = Path(shutil.copytree(demo[0], tmp_path / "model.mlpackage"))
    DAMAGE[name](path)
    with pytest.raises(PackageError) as caught:
        require_metadata(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_package_of_others_says_nothing_of_itself(demo: tuple[Path, SegmentationForward], tmp_path: Path) -> None:
    from coremltools.proto import Model_pb2

    path = Path(shutil.copytree(demo[0], tmp_path / "model.mlpackage"))
    spec = Model_pb2.Model()
    spec.ParseFromString((path / PROGRAM).read_bytes())
    assert json.loads((path / "Manifest.json").read_text())["itemInfoEntries"]
    spec.description.metadata.Clear()
    (path / PROGRAM).write_bytes(spec.SerializeToString())
    assert TARGETS.get("coreml").read_metadata(path) is None


def test_without_coremltools_the_words_say_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("instanseg_export.targets.coreml.write.find_spec", lambda name: None)
    checkpoint = load_checkpoint(DEMO)
    with pytest.raises(ExportError, match="coremltools is missing"):
        write_artifact("coreml", build_forward(checkpoint), checkpoint, tmp_path / "model.mlpackage")
    assert list(tmp_path.iterdir()) == []


def test_an_operation_that_the_interpreter_does_not_know_is_an_error_in_words(
    demo: tuple[Path, SegmentationForward], tmp_path: Path
) -> None:
    from coremltools.proto import Model_pb2

    path = Path(shutil.copytree(demo[0], tmp_path / "model.mlpackage"))
    spec = Model_pb2.Model()
    spec.ParseFromString((path / PROGRAM).read_bytes())
    (block,) = spec.mlProgram.functions["main"].block_specializations.values()
    relu = next(one for one in block.operations if one.type == "relu")
    relu.type = "erf"
    (path / PROGRAM).write_bytes(spec.SerializeToString())
    np.save(tmp_path / "a.npy", np.zeros((1, 3, SIDE, SIDE), np.float32))
    runtime = find_runtime("coreml_interpreter")
    (outcome,) = run_runtime(runtime, path, [tmp_path / "a.npy"], [tmp_path / "a.npz"])
    assert "does not know the operations erf" in outcome.error
