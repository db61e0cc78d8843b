"""A .pte file: the network alone, as ExecuTorch runs it, and what the file says of itself."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.errors import ExportError, PackageError
from instanseg_export.families.base import SegmentationForward
from instanseg_export.metadata import ModelMetadata
from instanseg_export.runtimes.process import run_runtime
from instanseg_export.runtimes.registry import find_runtime
from instanseg_export.targets import TARGETS, read_metadata, write_artifact
from instanseg_export.targets.executorch.file import read_program, write_program
from instanseg_export.targets.metadata import describe
from instanseg_export.targets.signature import NetworkAlone
from instanseg_export.targets.static import StaticShape
from instanseg_export.testing.small_forward import SmallForward, small_checkpoint
from support.embedseg_runs import write_embedseg_run, write_volume_run
from support.iaunet_models import RESNET, random_checkpoint
from support.paths import DEMO


def _program(size: int = 200) -> bytes:
    """Return what begins and ends as a program of ExecuTorch does."""
    header = struct.pack("<I4s4sIQQQ", 60, b"ET12", b"eh00", 32, 100, 120, size - 120)
    return header + bytes(range(size - len(header)))


@pytest.fixture
def metadata() -> ModelMetadata:
    return describe("executorch", SmallForward(), small_checkpoint(), StaticShape(48, 64))


@pytest.fixture
def file(metadata: ModelMetadata, tmp_path: Path) -> Path:
    path = tmp_path / "model.pte"
    write_program(_program(), metadata, path)
    return path


def test_a_file_is_the_program_and_its_description(file: Path, metadata: ModelMetadata) -> None:
    assert file.read_bytes().startswith(_program())
    found = read_program(file)
    assert found is not None
    assert found.model_copy(update={"graph_sha256": ""}) == metadata
    assert found.image_shape == (1, 3, 48, 64)
    assert found.seed_capacity is None


def test_a_program_of_others_has_no_description(file: Path) -> None:
    file.write_bytes(_program())
    assert read_metadata(file) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:150], "200"),
        (lambda data: data[:60] + b"?" + data[61:], "was changed after the export"),
        (lambda data: data[:-24] + struct.pack("<Q", 2**60) + data[-16:], "description"),
        (lambda data: data[:30], "30 bytes"),
        (lambda data: b"0000GGUF" + data[8:], "does not begin"),
    ],
    ids=["cut", "changed", "a length that cannot be", "shorter than a header", "something else"],
)
def test_damage_is_told(file: Path, change: object, words: str) -> None:
    assert callable(change)
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(PackageError, match=words) as caught:
        read_program(file)
    assert caught.value.hint


@pytest.mark.parametrize("family", ["instanseg", "embedseg", "iaunet"])
def test_the_network_alone_gives_the_stage(family: str, tmp_path: Path) -> None:
    """For sizes that the network does not take without padding."""
    makers = {
        "instanseg": lambda: load_checkpoint(DEMO),
        "embedseg": lambda: load_checkpoint(write_embedseg_run(tmp_path / "run", 2)),
        "iaunet": lambda: random_checkpoint(RESNET),
    }
    forward = build_forward(makers[family]())
    image = torch.rand((1, forward.channels, 37, 50), generator=torch.Generator().manual_seed(0)) * 200
    with torch.inference_mode():
        stages = forward.stages(image)
        alone = NetworkAlone(forward)(stages["normalize"])
    assert alone.shape == stages["network"].shape
    assert float(alone.std()) > 0
    torch.testing.assert_close(alone, stages["network"], rtol=1e-4, atol=1e-4)


class _NoPart(SmallForward):
    network_output = SegmentationForward.network_output


def test_volumes_and_networks_without_that_part_are_refused(tmp_path: Path) -> None:
    volumes = load_checkpoint(write_volume_run(tmp_path / "run"))
    with pytest.raises(ExportError, match="take volumes") as caught:
        describe("executorch", build_forward(volumes), volumes)
    assert caught.value.hint
    with pytest.raises(ExportError, match="network alone"):
        SegmentationForward.require_network_output(_NoPart())


@pytest.fixture(scope="module")
def demo() -> Checkpoint:
    if reason := TARGETS.get("executorch").unavailable():
        pytest.skip(reason)
    return load_checkpoint(DEMO)


def test_executorch_finds_what_the_network_finds(demo: Checkpoint, tmp_path: Path) -> None:
    forward = build_forward(demo)
    write_artifact("executorch", forward, demo, tmp_path / "model.pte", StaticShape(70, 90))
    image = torch.rand((1, 3, 70, 90), generator=torch.Generator().manual_seed(0)) * 200
    with torch.inference_mode():
        stages = forward.stages(image)
    np.save(tmp_path / "normal.npy", stages["normalize"].numpy())
    (outcome,) = run_runtime(
        find_runtime("executorch"), tmp_path / "model.pte", [tmp_path / "normal.npy"], [tmp_path / "found.npz"]
    )
    assert outcome.error == ""
    np.testing.assert_allclose(outcome.further()["network"], stages["network"].numpy(), rtol=0, atol=1e-4)


def test_an_image_of_another_size_is_an_error_in_words(demo: Checkpoint, tmp_path: Path) -> None:
    write_artifact("executorch", SmallForward(), small_checkpoint(), tmp_path / "model.pte", StaticShape(20, 30))
    np.save(tmp_path / "other.npy", np.zeros((1, 3, 20, 31), np.float32))
    (outcome,) = run_runtime(
        find_runtime("executorch"), tmp_path / "model.pte", [tmp_path / "other.npy"], [tmp_path / "found.npz"]
    )
    assert "takes normalised images of shape (1, 3, 20, 30)" in outcome.error
