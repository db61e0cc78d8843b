"""BranchedERFNet: shapes, and batch norms folded away."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from instanseg_export.families.embedseg.network import BranchedERFNet
from instanseg_export.layers.folding import for_inference


def network_of(axes: int) -> BranchedERFNet:
    torch.manual_seed(2)
    network = BranchedERFNet(2, (2 * axes, 1), axes).eval()
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm3d)):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return network.requires_grad_(False)


@pytest.mark.parametrize("size", [(8, 8), (40, 24), (8, 16, 24)])
def test_folded_it_is_the_same_function_with_fewer_norms(size: tuple[int, ...]) -> None:
    axes = len(size)
    network = network_of(axes)
    image = torch.randn(2, 2, *size, generator=torch.Generator().manual_seed(0))
    before = network(image)
    assert before.shape == (2, 2 * axes + 1, *size)
    folded = for_inference(network)
    torch.testing.assert_close(folded(image), before, rtol=1e-4, atol=1e-4)
    norms = [name for name, module in folded.named_modules() if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm3d))]
    # Those of the downsamplers also scale what the pooling gives.
    assert norms == ["encoder.0.bn", "encoder.1.bn", "encoder.7.bn"]
