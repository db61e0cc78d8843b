"""Padding against torch's and numpy's reflection."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from instanseg_export.stages.pad import crop_axis, pad_axis, pad_to_multiple
from support.scripted import agreed


@settings(max_examples=50, deadline=None)
@given(height=st.integers(17, 70), width=st.integers(17, 70), multiple=st.sampled_from([1, 4, 16]))
def test_equals_reflection_padding(height: int, width: int, multiple: int) -> None:
    image = torch.rand(2, 3, height, width)
    expected = F.pad(image, (0, -width % multiple, 0, -height % multiple), mode="reflect")
    assert torch.equal(agreed(pad_to_multiple, image, multiple), expected)


@settings(max_examples=50, deadline=None)
@given(height=st.integers(1, 17), width=st.integers(1, 17), multiple=st.sampled_from([16, 64]))
def test_image_smaller_than_its_padding_is_mirrored_back_and_forth(height: int, width: int, multiple: int) -> None:
    image = torch.rand(1, 1, height, width)
    margins = ((0, 0), (0, 0), (0, -height % multiple), (0, -width % multiple))
    np.testing.assert_array_equal(agreed(pad_to_multiple, image, multiple), np.pad(image, margins, mode="reflect"))


@settings(max_examples=50, deadline=None)
@given(size=st.integers(1, 40), multiple=st.sampled_from([1, 8]), half=st.booleans())
def test_padding_on_both_sides_and_its_crop(size: int, multiple: int, half: bool) -> None:
    image = torch.rand(2, size, 3)
    missing = -size % multiple
    before = missing // 2 if half else 0
    padded = agreed(pad_axis, image, 1, multiple, before)
    expected = np.pad(image, ((0, 0), (before, missing - before), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(padded, expected)
    assert torch.equal(agreed(crop_axis, padded, 1, before, size), image)
