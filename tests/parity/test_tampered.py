"""Files that were changed after the export, and references that die: the report says so, and does not pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny_model import TinySegmenter

from instanseg_export.api.validate import validate
from instanseg_export.files import sha256_of
from instanseg_export.images.named import NamedImage

WriteRuntime = Callable[..., Path]
DESCRIPTION = Path(__file__).resolve().parent.parent / "data" / "metadata_format_1" / "demo-torchscript.json"
TEST = "test-input.npy, normalised"


@pytest.fixture
def whole(tmp_path: Path, squares: NamedImage) -> Path:
    """A package of a sound file, with its test tensors and its hash."""
    folder = tmp_path / "package"
    folder.mkdir()
    torch.jit.script(TinySegmenter(scale=255.0)).save(folder / "instanseg.pt")
    image = squares.array[:1]
    low, high = np.percentile(image, [0.1, 99.9], axis=(2, 3), keepdims=True)
    labels = TinySegmenter(scale=255.0)(torch.from_numpy(((image - low) / (high - low + 1e-6)).astype(np.float32)))
    assert labels.max() == 10
    np.save(folder / "test-input.npy", image)
    np.save(folder / "test-output.npy", labels.numpy())
    step = {"id": "scale_range", "kwargs": {"axes": ["y", "x"], "min_percentile": 0.1, "max_percentile": 99.9}}
    axes = [{"type": "batch"}, {"type": "channel", "id": "channel", "channel_names": ["a", "b"]}]
    tensor = {"source": "test-input.npy"}
    rdf = {
        "type": "model",
        "name": "tiny",
        "inputs": [{"id": "raw", "axes": axes, "test_tensor": tensor, "preprocessing": [step]}],
        "outputs": [{"id": "instance_segmentation", "test_tensor": {"source": "test-output.npy"}}],
        "weights": {"torchscript": {"source": "instanseg.pt", "sha256": sha256_of(folder / "instanseg.pt")}},
    }
    (folder / "rdf.yaml").write_text(yaml.safe_dump(rdf))
    return folder


def test_a_changed_file_fails_by_its_hash_and_by_what_it_finds(whole: Path, write_runtime: WriteRuntime) -> None:
    """Both runtimes run the same changed file, and agree: only the package knows better."""
    runtimes = ["torchscript", str(write_runtime("again"))]
    torch.jit.script(TinySegmenter(scale=255.0, drop=4)).save(whole / "instanseg.pt")
    report = validate(whole, runtimes=runtimes, trust=True)
    assert report.changed == ("instanseg.pt",)
    assert report.status == "failed"
    assert "instanseg.pt is not the file that the package was written for" in report.summary()
    (result,) = (result for result in report.results_of("torchscript") if result.image == TEST)
    assert result.status == "failed"
    assert "it does not find what the package's test tensor holds: 9 instances instead of 10" in result.why


def test_a_reference_that_dies_is_a_row(tmp_path: Path, write_runtime: WriteRuntime, squares: NamedImage) -> None:
    """A file that says of itself that it is of a network whose weights it does not have."""
    text = json.loads(DESCRIPTION.read_bytes())
    text["spec"]["channels"] = text["spec"]["backbone"]["in_channels"] = 2
    extra = {"instanseg_export.json": json.dumps(text)}
    torch.jit.save(torch.jit.script(TinySegmenter()), tmp_path / "instanseg.pt", _extra_files=extra)
    runtimes = ["torchscript", str(write_runtime("again"))]
    report = validate(tmp_path / "instanseg.pt", runtimes=runtimes, images=[squares], trust=True)
    rows = {row.name: row for row in report.runtimes}
    assert rows["torch_eager"].status == "failed"
    assert rows["torch_eager"].why
    assert rows["torchscript"].reference
    assert rows["again"].status == "passed"
    assert report.status == "failed"
