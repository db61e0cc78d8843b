"""Boxes of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instanseg_export.slides.box import Box


@st.composite
def _boxes(draw: st.DrawFn) -> Box:
    low = draw(st.tuples(*[st.integers(-5, 20)] * 2))
    return Box(low, (low[0] + draw(st.integers(0, 15)), low[1] + draw(st.integers(0, 15))))


def _pixels(box: Box) -> set[tuple[int, ...]]:
    return {(y, x) for y in range(box.low[0], box.high[0]) for x in range(box.low[1], box.high[1])}


@given(_boxes(), _boxes())
def test_a_common_part_has_the_common_pixels(one: Box, two: Box) -> None:
    assert _pixels(one.within(two)) == _pixels(one) & _pixels(two)
    assert one.within(two).size == len(_pixels(one) & _pixels(two))


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4)])
def test_a_box_cuts_its_pixels_out(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape)
    assert (array[Box.of(shape).slices] == array).all()
    inner = Box.of(shape).grown(-1)
    assert array[inner.slices].shape == inner.shape
    assert inner.shifted((1,) * len(shape)).low == (2,) * len(shape)
