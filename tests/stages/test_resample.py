"""Resampling against torch's own interpolation, and label maps there and back."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st

from instanseg_export.stages.resample import labels_back, resample
from support.scripted import agreed


@pytest.mark.parametrize(("numerator", "denominator"), [(1, 2), (2, 1), (3, 2), (2, 3), (5, 1), (1, 4), (1, 1)])
def test_equals_torchs_interpolation(numerator: int, denominator: int) -> None:
    image = torch.rand(2, 3, 48, 36, generator=torch.Generator().manual_seed(0)) * 255
    size = [48 * numerator // denominator, 36 * numerator // denominator]
    expected = F.interpolate(image, size, mode="bilinear", antialias=True)
    torch.testing.assert_close(agreed(resample, image, numerator, denominator), expected, atol=2e-3, rtol=0)


@settings(max_examples=60, deadline=None)
@example(height=1, width=1, ratio=Fraction(1), seed=0)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    ratio=st.fractions(Fraction(1, 5), 5, max_denominator=40),
    seed=st.integers(0, 99),
)
def test_any_size_and_ratio(height: int, width: int, ratio: Fraction, seed: int) -> None:
    image = torch.rand(1, 2, height, width, generator=torch.Generator().manual_seed(seed))
    result = agreed(resample, image, ratio.numerator, ratio.denominator)
    least = 1 if ratio == 1 else 2
    assert result.shape == (1, 2, max(least, -(-height * ratio // 1)), max(least, -(-width * ratio // 1)))
    assert image.amin() - 1e-6 <= result.amin()
    assert result.amax() <= image.amax() + 1e-6
    flat = agreed(resample, torch.full_like(image, 7.0), ratio.numerator, ratio.denominator)
    torch.testing.assert_close(flat, torch.full_like(flat, 7.0))
    back = agreed(labels_back, result, height, width, ratio.numerator, ratio.denominator)
    assert back.shape == image.shape


@pytest.mark.parametrize(("numerator", "denominator"), [(2, 1), (7, 3), (1, 1)])
def test_labels_of_an_enlarged_image_come_back_whole(numerator: int, denominator: int) -> None:
    labels = torch.randint(0, 9, (2, 1, 21, 30), generator=torch.Generator().manual_seed(1)).float()
    rows = (torch.arange(-(-21 * numerator // denominator)) * 2 + 1) * denominator // (2 * numerator)
    columns = (torch.arange(-(-30 * numerator // denominator)) * 2 + 1) * denominator // (2 * numerator)
    larger = labels[:, :, rows.clamp(max=20)][:, :, :, columns.clamp(max=29)]
    assert torch.equal(agreed(labels_back, larger, 21, 30, numerator, denominator), labels)


def test_a_shape_stays_where_it_is() -> None:
    image = torch.zeros(1, 1, 100, 100)
    image[:, :, 20:40, 60:90] = 1.0
    for numerator, denominator in ((12, 25), (25, 12)):
        smaller = resample(image, numerator, denominator)
        labels = labels_back((smaller > 0.5).float(), 100, 100, numerator, denominator)
        differing = (labels != image).sum()
        assert differing < 0.25 * image.sum()
        rows, columns = torch.nonzero(labels[0, 0], as_tuple=True)
        assert abs(rows.float().mean() - 29.5) < 1.0
        assert abs(columns.float().mean() - 74.5) < 1.0
