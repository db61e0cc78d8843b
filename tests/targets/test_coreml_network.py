"""Networks alone as Core ML programs: what the interpreter finds, where it is told, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from instanseg_export import build_forward, export, inspect, load_checkpoint, run, validate
from instanseg_export.api.inspect import ModelFacts
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.errors import ExportError, PackageError
from instanseg_export.images.named import NamedImage
from instanseg_export.runtimes.process import run_runtime
from instanseg_export.runtimes.registry import find_runtime
from instanseg_export.targets import require_metadata, write_artifact
from instanseg_export.targets.static import StaticShape
from support.embedseg_runs import write_embedseg_run, write_volume_run
from support.iaunet_models import RESNET, SWIN, random_checkpoint
from support.paths import DEMO, DEMO_IMAGES
from support.two_stage_models import classified_recipe

pytest.importorskip("coremltools")

FILE = "network.mlpackage"
INTERPRETER = "coreml_network_interpreter"

MAKERS: dict[str, Callable[[Path], Checkpoint]] = {
    "instanseg": lambda folder: load_checkpoint(DEMO),
    "embedseg": lambda folder: load_checkpoint(write_embedseg_run(folder / "run", 2)),
    "iaunet": lambda folder: random_checkpoint(RESNET),
    "two_stage": lambda folder: load_checkpoint(classified_recipe(folder)),
}


@pytest.mark.parametrize(
    "family",
    ["embedseg", "iaunet", *(pytest.param(name, marks=pytest.mark.slow) for name in ("instanseg", "two_stage"))],
)
def test_the_interpreter_finds_what_the_network_finds(family: str, tmp_path: Path) -> None:
    """For a size that the network does not take without padding."""
    (tmp_path / "source").mkdir()
    checkpoint = MAKERS[family](tmp_path / "source")
    forward = build_forward(checkpoint)
    path = tmp_path / FILE
    write_artifact("coreml_network", forward, checkpoint, path, StaticShape(37, 50))
    metadata = require_metadata(path)
    assert metadata.image_shape is not None
    assert (metadata.whole, metadata.seed_capacity) == (False, None)
    image = torch.rand(metadata.image_shape, generator=torch.Generator().manual_seed(0)) * 200
    with torch.inference_mode():
        normal = forward.stages(image)["normalize"]
        normal = normal if normal.shape == image.shape else image / 200  # two stages look at another pixel size
        expected = forward.network_output(normal).numpy()
    np.save(tmp_path / "normal.npy", normal.numpy())
    (outcome,) = run_runtime(find_runtime(INTERPRETER), path, [tmp_path / "normal.npy"], [tmp_path / "found.npz"])
    assert outcome.error == ""
    found = outcome.further()
    assert list(found) == ["network"]
    real = expected > -1e29  # what stands for "beyond the image"
    assert float(expected[real].std()) > 0
    np.testing.assert_array_equal(found["network"] > -1e29, real)
    largest = float(np.abs(expected[real]).max())
    np.testing.assert_allclose(found["network"][real], expected[real], rtol=0, atol=1e-4 * max(largest, 1.0))


@pytest.mark.slow
def test_everything_says_that_it_is_the_network_only(tmp_path: Path) -> None:
    """Document, description, report; and what needs labels refuses it."""
    result = export(
        write_embedseg_run(tmp_path / "run", 2),
        targets=["torchscript", "coreml_network"],
        static_size=(64, 64),
        output=tmp_path / "out",
        validate=False,
    )
    path = result.folder / FILE
    readme = next(result.folder.glob("*_README.md")).read_text()
    assert f"### `{FILE}`: network only" in readme
    assert "docs/network.md" in readme
    facts = inspect(path)
    assert isinstance(facts, ModelFacts)
    assert (facts.files, facts.image_shape, facts.seed_capacity) == ({"coreml_network": FILE}, (1, 1, 64, 64), None)
    image = np.random.default_rng(0).uniform(0, 255, (1, 64, 64)).astype(np.float32)
    report = validate(
        result.folder, images=[NamedImage("noise", image, "given")], runtimes=["torchscript", INTERPRETER]
    )
    assert report.passed, report.summary()
    row = next(one for one in report.runtimes if one.name == INTERPRETER)
    assert (row.status, row.network_only) == ("passed", True)
    assert "runs the network only; its output differs by at most" in report.summary()
    with pytest.raises(PackageError, match="holds the network alone") as caught:
        run(path, DEMO_IMAGES / "histology.png", output=tmp_path / "results")
    assert "docs/network.md" in caught.value.hint


def test_networks_of_volumes_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="take volumes") as caught:
        export(write_volume_run(tmp_path / "run"), targets=["torchscript", "coreml_network"], output=tmp_path / "out")
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_tensors_of_six_axes_are_refused_in_words(tmp_path: Path) -> None:
    checkpoint = random_checkpoint(SWIN)
    with pytest.raises(ExportError, match=r"step translate failed: .*rank") as caught:
        write_artifact("coreml_network", build_forward(checkpoint), checkpoint, tmp_path / FILE, StaticShape(64, 64))
    assert caught.value.hint
    assert not (tmp_path / FILE).exists()
