"""A network made ready to run is the same function with fewer steps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from instanseg_export import build_forward
from instanseg_export.checkpoints import load_checkpoint
from instanseg_export.errors import CheckpointError
from instanseg_export.layers.folding import for_inference
from instanseg_export.targets import write_artifact
from support.paths import DEMO
from support.training_runs import instanseg_spec


@pytest.fixture
def image() -> torch.Tensor:
    return torch.randn(2, 3, 64, 48, generator=torch.Generator().manual_seed(0))


def test_a_trained_network_without_its_batch_norms_is_the_same_function(image: torch.Tensor) -> None:
    network = load_checkpoint(DEMO).network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    folded = for_inference(network)
    with torch.inference_mode():
        torch.testing.assert_close(folded(image), network(image), rtol=1e-4, atol=1e-4)
    backbone = folded.get_submodule("backbone")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in backbone.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_an_exported_file_without_batch_norms_can_be_exported_again(tmp_path: Path, image: torch.Tensor) -> None:
    checkpoint = load_checkpoint(DEMO)
    first = write_artifact("torchscript", build_forward(checkpoint), checkpoint, tmp_path / "instanseg.pt")
    again = load_checkpoint(first.path)
    backbones = [instanseg_spec(one).backbone for one in (checkpoint, again)]
    assert [getattr(backbone, "norm", None) for backbone in backbones] == ["batch", "none"]
    with torch.inference_mode():
        first_labels, labels = build_forward(checkpoint)(image), build_forward(again)(image)
        torch.testing.assert_close(labels, first_labels, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("part", "value"), [("running_var", -1.0), ("running_var", -1e-5), ("weight", 3e38), ("running_mean", torch.nan)]
)
@pytest.mark.parametrize("convolution", [nn.Conv2d, nn.ConvTranspose2d, nn.Conv3d])
def test_weights_that_folding_makes_infinite_are_refused_by_name(
    convolution: type[nn.Module], part: str, value: float
) -> None:
    norm = nn.BatchNorm3d(2) if convolution is nn.Conv3d else nn.BatchNorm2d(2)
    first = convolution(1, 2, 3)
    network = nn.Sequential(nn.Sequential(first, norm)).eval()
    with torch.no_grad():
        first.get_parameter("weight").fill_(1e3)
        norm.get_buffer("running_var").fill_(1e-3)
        getattr(norm, part).fill_(value)
    with pytest.raises(CheckpointError, match=r"0\.0\.(weight|bias) becomes infinite or NaN"):
        for_inference(network)
