"""Classifiers of crops: the trunks of torchvision and timm with a stem of stride 1, and attention over sets."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from instanseg_export.families.two_stage.classifier_spec import CropClassifierSpec, PositivitySpec
from instanseg_export.families.two_stage.crop_classifier import CropClassifier, PositivityClassifier, build_trunk
from instanseg_export.families.two_stage.set_attention import InducedSetAttention
from instanseg_export.targets.torchscript.operators import unknown_operators

pytest.importorskip("torchvision")
pytest.importorskip("timm")

SMALL = ["efficientnet_v2_s", "mobilenetv4_conv_small"]


@pytest.mark.parametrize("architecture", SMALL)
def test_trunks_script_for_old_libtorch_and_do_not_shrink_at_the_stem(architecture: str) -> None:
    trunk: Any = build_trunk(architecture, 4, 1).eval()
    crops = torch.rand(2, 4, 32, 32)
    with torch.inference_mode():
        features = trunk(crops)
        scripted = torch.jit.script(trunk)
        torch.testing.assert_close(scripted(crops), features)
    assert features.shape == (2, 1280)
    assert unknown_operators(scripted) == []
    stem = trunk.conv_stem if architecture.startswith("mobile") else trunk.features[0][0]
    assert stem(crops).shape[2:] == (32, 32)


def test_parameters_are_as_many_as_the_thesis_says() -> None:
    def millions(network: torch.nn.Module) -> float:
        return sum(p.numel() for p in network.parameters()) / 1e6

    with torch.device("meta"):
        student = CropClassifier(
            CropClassifierSpec(architecture="efficientnet_v2_l", channels=3, embedding=64, logits=6)
        )
        teacher = CropClassifier(
            CropClassifierSpec(
                architecture="mobilenetv4_conv_large", channels=3, embedding=64, logits=3, stem_padding=0
            )
        )
        positivity = PositivityClassifier(PositivitySpec())
    assert millions(student) == pytest.approx(120, abs=3)
    assert millions(teacher) == pytest.approx(31, abs=0.6)
    assert millions(positivity) == pytest.approx(2.6, abs=0.05)


def reference_attention(block: Any, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Multihead attention written out per head, from the paper's equations."""
    q, k, v = block.fc_q(query), block.fc_k(key), block.fc_v(key)
    width = q.shape[1] // block.heads
    parts = []
    for head in range(block.heads):
        part = slice(head * width, (head + 1) * width)
        weights = torch.softmax(q[:, part] @ k[:, part].T / q.shape[1] ** 0.5, dim=1)
        parts.append(q[:, part] + weights @ v[:, part])
    hidden = block.ln0(torch.cat(parts, dim=1))
    result: torch.Tensor = block.ln1(hidden + torch.relu(block.fc_o(hidden)))
    return result


@pytest.mark.parametrize("norms", [False, True])
def test_induced_attention_is_the_one_of_the_paper(norms: bool) -> None:
    torch.manual_seed(0)
    block = InducedSetAttention(16, 4, 5, norms).eval()
    bags = torch.randn(2, 9, 16)
    result = block(bags, torch.ones(2, 9, dtype=torch.bool))
    for bag, found in zip(bags, result, strict=True):
        summary = reference_attention(block.mab0, block.I[0], bag)
        torch.testing.assert_close(found, reference_attention(block.mab1, bag, summary), rtol=1e-4, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(cells=st.integers(1, 40), filling=st.integers(0, 9), seed=st.integers(0, 999))
def test_logits_follow_the_order_of_the_cells_and_ignore_what_fills_the_bag(
    cells: int, filling: int, seed: int
) -> None:
    network = positivity()
    generator = torch.Generator().manual_seed(seed)
    bag = torch.randn(1, cells, 64, generator=generator)
    order = torch.randperm(cells, generator=generator)
    present = torch.ones(1, cells, dtype=torch.bool)
    logits = network(bag, present)
    assert logits.shape == (1, cells)
    torch.testing.assert_close(network(bag[:, order], present), logits[:, order], rtol=1e-4, atol=1e-4)

    fuller = torch.cat([bag, 50 * torch.randn(1, filling, 64, generator=generator)], dim=1)
    there = torch.cat([present, torch.zeros(1, filling, dtype=torch.bool)], dim=1)
    torch.testing.assert_close(network(fuller, there)[:, :cells], logits, rtol=1e-4, atol=1e-4)


def test_a_cell_is_judged_among_the_others() -> None:
    network = positivity()
    bag = torch.randn(1, 12, 64, generator=torch.Generator().manual_seed(1))
    present = torch.ones(1, 12, dtype=torch.bool)
    others = bag.clone()
    others[:, 1:] += 3.0
    assert not torch.allclose(network(bag, present)[:, 0], network(others, present)[:, 0], atol=1e-3)


_BUILT: list[PositivityClassifier] = []


def positivity() -> PositivityClassifier:
    if not _BUILT:
        torch.manual_seed(0)
        _BUILT.append(PositivityClassifier(PositivitySpec()).eval().requires_grad_(False))
    return _BUILT[0]
