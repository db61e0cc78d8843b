"""Normalisation against numpy's percentiles, and the rule when it happens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from instanseg_export.stages.normalize import finite, normalize, percentiles
from support.scripted import agreed

AUTO, ALWAYS, NEVER = (torch.tensor(mode) for mode in range(3))
SHAPES = [(1, 1), (1, 2), (27, 37), (10, 100), (7, 143), (1, 1002), (50, 100), (61, 89)]


def random_image(shape: tuple[int, ...], seed: int = 0, scale: float = 1000.0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: str(shape[0] * shape[1]))
def test_percentiles_are_numpys(shape: tuple[int, int]) -> None:
    image = random_image((2, 3, *shape))
    lower, upper = agreed(percentiles, image)
    expected = np.percentile(image.double().flatten(2).numpy(), [0.1, 99.9], axis=2)
    np.testing.assert_allclose(lower[:, :, 0, 0], expected[0], rtol=1e-6, atol=1e-3)
    np.testing.assert_allclose(upper[:, :, 0, 0], expected[1], rtol=1e-6, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 4100) | st.integers(1, 50),
    seed=st.integers(0, 99),
    levels=st.integers(1, 4) | st.just(1000),
    scale=st.sampled_from([1e-3, 1, 1e6]),
    ends=st.sampled_from([(1, 1), (10, 2)]),
)
def test_percentiles_of_images_with_many_equal_values(
    size: int, seed: int, levels: int, scale: float, ends: tuple[int, int]
) -> None:
    values = np.random.default_rng(seed).integers(0, levels, size).astype(np.float32) * np.float32(scale)
    lower, upper = percentiles(torch.from_numpy(values).reshape(1, 1, 1, size), *ends)
    expected = np.percentile(values.astype(np.float64), [ends[0] / 10, 100 - ends[1] / 10])
    np.testing.assert_allclose([lower.item(), upper.item()], expected, atol=1e-6 * scale * levels, rtol=0)


def test_nan_infinities_and_absurd_values_become_background() -> None:
    image = random_image((2, 2, 4, 5))
    image[0, 0, 0] = torch.tensor([torch.nan, torch.inf, -torch.inf, 1e38, -1e38])
    image[1, 1] = torch.nan
    before = image.clone()
    result = agreed(finite, image)
    assert torch.equal(result[0, 0, 0], image[0, 0, 1:].min().expand(5))
    assert torch.equal(result[0, 0, 1:], image[0, 0, 1:])
    assert torch.equal(result[1, 1], torch.zeros(4, 5))
    assert torch.equal(result[0, 1], image[0, 1])
    assert torch.equal(image.nan_to_num(7.0), before.nan_to_num(7.0)), "the caller's image was written to"


def test_always_rescales_each_channel_of_each_image_by_itself() -> None:
    image = random_image((3, 2, 40, 50)) * torch.tensor([1.0, 30.0]).view(1, 2, 1, 1)
    before = image.clone()
    result = agreed(normalize, image, ALWAYS)
    low, high = np.percentile(image.double().numpy(), [0.1, 99.9], axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(result, ((image.numpy() - low) / (high - low)).clip(-2, 3), atol=1e-5)
    assert torch.equal(image, before), "the caller's image was written to"


def test_never_only_clamps() -> None:
    image = random_image((1, 2, 9, 9))
    assert torch.equal(agreed(normalize, image, NEVER), image.clamp(-2, 3))


def test_auto_decides_for_each_image_and_all_its_channels() -> None:
    normalised = torch.rand(1, 2, 60, 60) * 1.4 - 0.2
    one_raw_channel = normalised.clone()
    one_raw_channel[:, 1] *= 1000
    dark = normalised - 5
    batch = torch.cat([normalised, one_raw_channel, dark])
    result = agreed(normalize, batch, AUTO)
    assert torch.equal(result[0], batch[0])
    assert torch.equal(result[1:], normalize(batch[1:], ALWAYS))
    assert not torch.equal(result[1, 0], batch[1, 0]), "the quiet channel of a raw image is rescaled too"


def test_auto_is_not_decided_by_a_hot_pixel() -> None:
    image = torch.rand(1, 1, 64, 64)
    image[0, 0, 5, 5], image[0, 0, 6, 6] = 4000.0, -4000.0
    assert torch.equal(agreed(normalize, image, AUTO), image.clamp(-2, 3))


@pytest.mark.parametrize("limit", [-2.0, 3.0])
def test_auto_leaves_an_image_alone_that_reaches_the_limits_of_the_range(limit: float) -> None:
    image = torch.full((1, 1, 30, 30), limit)
    assert torch.equal(agreed(normalize, image, AUTO), image)
    beyond = image * 1.001
    assert torch.equal(agreed(normalize, beyond, AUTO), torch.zeros_like(image))


@pytest.mark.parametrize("value", [0.0, 17.0, -3e29, 1e-30])
def test_constant_image_gives_finite_zeros(value: float) -> None:
    assert torch.equal(agreed(normalize, torch.full((1, 2, 33, 40), value), ALWAYS), torch.zeros(1, 2, 33, 40))


def test_one_pixel() -> None:
    assert torch.equal(agreed(normalize, torch.full((1, 1, 1, 1), 500.0), AUTO), torch.zeros(1, 1, 1, 1))


def test_widest_range_does_not_overflow() -> None:
    image = torch.linspace(-9e29, 9e29, 5000).reshape(1, 1, 50, 100)
    result = agreed(normalize, image, AUTO)
    assert torch.isfinite(result).all()
    assert 0.99 < float(result.max()) < 1.01
