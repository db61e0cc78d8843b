"""SAM's encoder against its definition, and the networks around it as modules, in batches and compiled."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from instanseg_export.families.instanseg.sam_encoder import Attention, Block
from support.sam_models import KINDS, encoder, sam_spec, smooth_image
from support.training_runs import random_network, randomise


def random(module: torch.nn.Module) -> Any:
    randomise(module, seed=7)
    return module.eval().requires_grad_(False)


def test_attention_is_that_of_the_definition() -> None:
    """Softmax of q . k / sqrt(d) + q . row table[rows apart] + q . column table[columns apart], pair by pair."""
    side, heads, width = 3, 2, 8
    attention = random(Attention(width, heads, side))
    x = torch.randn(2, side, side, width, generator=torch.Generator().manual_seed(1))
    q, k, v = (
        part.view(2, side**2, heads, -1) for part in attention.qkv(x).view(2, side**2, 3 * width).split(width, 2)
    )
    expected = torch.empty(2, side**2, heads, width // heads)
    for image in range(2):
        for head in range(heads):
            scores = torch.empty(side**2, side**2)
            for i in range(side**2):
                for j in range(side**2):
                    rows, columns = i // side - j // side, i % side - j % side
                    key = k[image, j, head] / (width // heads) ** 0.5
                    key = key + attention.rel_pos_h[rows + side - 1] + attention.rel_pos_w[columns + side - 1]
                    scores[i, j] = q[image, i, head] @ key
            expected[image, :, head] = scores.softmax(1) @ v[image, :, head]
    torch.testing.assert_close(attention(x), attention.proj(expected.view(2, side, side, width)))


def test_heads_in_steps_give_the_same() -> None:
    attention = random(Attention(24, 6, 4))
    x = torch.randn(1, 4, 4, 24, generator=torch.Generator().manual_seed(1))
    whole = attention(x)
    attention.step = 4
    torch.testing.assert_close(attention(x), whole)


def test_tokens_see_their_window_alone() -> None:
    block = random(Block(encoder(), window=3))
    x = torch.randn(1, 8, 8, 16, generator=torch.Generator().manual_seed(1))
    changed = x.clone()
    changed[0, 4, 7, :3] += 1.0
    differs = (block(x) - block(changed)).abs().amax(dim=3)[0] > 1e-6
    window = torch.zeros(8, 8, dtype=torch.bool)
    window[3:6, 6:8] = True  # the last window of a row has two columns, and one of zeros
    assert torch.equal(differs, window)
    everywhere = random(Block(encoder(), window=0))
    assert ((everywhere(x) - everywhere(changed)).abs().amax(dim=3) > 1e-6).all()


@pytest.mark.parametrize("kind", KINDS)
def test_networks_script_and_keep_images_apart(kind: str) -> None:
    network = random_network(sam_spec(kind))
    images = smooth_image(3, 3, network.window, network.window)
    before = images.clone()
    expected = network(images)
    assert torch.equal(images, before)
    assert expected.shape == (3, 5, network.window, network.window)
    alone = torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(alone, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
    assert torch.equal(torch.jit.script(network)(images), expected)
