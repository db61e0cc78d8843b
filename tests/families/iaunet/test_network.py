"""The networks of IAUNet, against the thesis and against other implementations of their parts."""

from __future__ import annotations

import sys

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from instanseg_export.errors import CheckpointError
from instanseg_export.families.iaunet.attention import Attention
from instanseg_export.families.iaunet.network import IAUNetNetwork
from instanseg_export.families.iaunet.spec import IAUNetSpec, ResNetSpec, SwinSpec
from instanseg_export.families.iaunet.swin import Swin
from instanseg_export.layers.folding import for_inference
from support.iaunet_models import RESNET, SWIN, random_checkpoint

TABLE_1 = [
    (ResNetSpec(depths=(3, 4, 6, 3)), 39),
    (ResNetSpec(depths=(3, 4, 23, 3)), 58),
    (SwinSpec(dim=96, depths=(2, 2, 18, 2), heads=(3, 6, 12, 24), window=7), 64),
    (SwinSpec(dim=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32), window=12), 102),
]
"""Encoders, and millions of parameters of the whole network that the thesis reports."""


@pytest.mark.parametrize(("encoder", "millions"), TABLE_1, ids=["R50", "R101", "Swin-S", "Swin-B"])
def test_parameters_are_as_many_as_in_the_thesis(encoder: ResNetSpec | SwinSpec, millions: int) -> None:
    with torch.device("meta"):
        network = IAUNetNetwork(IAUNetSpec(name="full", encoder=encoder))
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6) == millions


@pytest.mark.slow
@pytest.mark.parametrize("encoder", [TABLE_1[1][0], TABLE_1[2][0]], ids=["R101", "Swin-S"])
def test_full_networks_give_masks_at_a_quarter(encoder: ResNetSpec | SwinSpec) -> None:
    network = IAUNetNetwork(IAUNetSpec(name="full", encoder=encoder)).eval()
    with torch.inference_mode():
        masks, classes = network(torch.randn(1, 3, 224, 256))
    assert masks.shape == (1, 100, 56, 64)
    assert classes.shape == (1, 100, 2)


def test_swin_is_that_of_timm() -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    size = {"embed_dim": 12, "depths": (2, 2, 2, 2), "num_heads": (1, 2, 3, 4), "window_size": 7}
    theirs = timm.create_model("swin_tiny_patch4_window7_224", pretrained=False, always_partition=True, **size).eval()
    ours = Swin(3, 12, (2, 2, 2, 2), (1, 2, 3, 4), 7).eval()
    unknown = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert all(name.startswith("out_norm.") for name in unknown.missing_keys)
    image = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        x = ours.patch_embed(image)
        for stage in ours.layers:
            x = stage(x)
        torch.testing.assert_close(theirs.norm(x), theirs.forward_features(image))


def test_attention_is_that_of_torch() -> None:
    torch.manual_seed(0)
    ours, theirs = Attention(24, 4), nn.MultiheadAttention(24, 4, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    query, key, value = torch.randn(2, 5, 24), torch.randn(2, 7, 24), torch.randn(2, 7, 24)
    torch.testing.assert_close(ours(query, key, value), theirs(query, key, value)[0])


@pytest.mark.parametrize("encoder", [RESNET, SWIN], ids=["resnet", "swin"])
def test_folding_changes_nothing_but_the_norms(encoder: ResNetSpec | SwinSpec) -> None:
    network = random_checkpoint(encoder).network
    generator = torch.Generator().manual_seed(0)
    for name, value in network.state_dict().items():
        if "running" in name:
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    folded = for_inference(network)
    assert not any("running" in name for name in folded.state_dict())
    image = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        for one, two in zip(network(image), folded(image), strict=True):
            torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"dim": 18, "heads": 2}, "multiple of 4"),
        ({"heads": 3}, "3 heads do not divide"),
        ({"classes": ("a", "a")}, "named twice"),
        ({"encoder": {"kind": "vgg"}}, "vgg"),
        ({"encoder": {"kind": "swin", "dim": 8, "depths": (1, 1, 1, 1), "heads": (3, 1, 1, 1), "window": 7}}, "divide"),
        ({"structures": ("nuclei", "cells")}, "structures"),
    ],
)
def test_contradictory_descriptions_are_refused(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        IAUNetSpec.model_validate({"name": "x", "encoder": RESNET, **fields})


def test_without_torchvision_the_hint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(CheckpointError) as caught:
        IAUNetNetwork(IAUNetSpec(name="x", encoder=RESNET))
    assert "instanseg-export[classify]" in caught.value.hint
