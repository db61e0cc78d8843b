"""Files as people's tools write them: their planes exactly, or a refusal that says why; no guess without a word."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from instanseg_export.errors import ImageError
from instanseg_export.images import Region, probe_image, read_image
from support.figures import tell
from support.peoples_images.everything import KINDS
from support.peoples_images.parts import Expectation

TABLE = [pytest.param(builder, expected, id=name) for name, builder, expected in KINDS]
READABLE = [param for param, (_, _, expected) in zip(TABLE, KINDS, strict=True) if expected.planes is not None]


@pytest.mark.parametrize(("builder", "expected"), TABLE)
def test_read_right_or_refused(builder: Callable[[Path], Path], expected: Expectation, tmp_path: Path) -> None:
    path = builder(tmp_path)
    if expected.planes is None:
        with pytest.raises(ImageError, match=expected.says) as caught:
            read_image(path, expected.dimensions)
        assert caught.value.hint
        assert str(path) in caught.value.message
        return
    image = read_image(path, expected.dimensions)
    _agree(image.array, expected.planes, expected.tolerance)
    assert re.search(expected.says, "\n".join(image.notes))
    size = expected.pixel_size
    assert image.pixel_size == (None if size is None else pytest.approx(size, rel=1e-3))
    if expected.names:
        assert image.channel_names == expected.names
    assert image.pixel_size_note.startswith(path.name)


@pytest.mark.campaign
def test_all_read_right_or_refused(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    refused = 0
    for number, (_, builder, expected) in enumerate(KINDS):
        (tmp_path / str(number)).mkdir()
        test_read_right_or_refused(builder, expected, tmp_path / str(number))
        refused += expected.planes is None
    figures = {"read right": len(KINDS) - refused, "refused": refused, "read wrongly": 0}
    tell(record_property, "Images as people's tools write them", len(KINDS), figures)


@pytest.mark.parametrize(("builder", "expected"), READABLE)
def test_what_is_known_before_and_a_part_agree_with_the_whole(
    builder: Callable[[Path], Path], expected: Expectation, tmp_path: Path
) -> None:
    path = builder(tmp_path)
    whole = read_image(path, expected.dimensions)
    info = probe_image(path, expected.dimensions)
    assert (info.shape, info.dtype) == (whole.array.shape, whole.array.dtype)
    assert (info.pixel_size, info.pixel_size_note) == (whole.pixel_size, whole.pixel_size_note)
    assert info.channel_names == whole.channel_names
    assert set(info.notes) <= set(whole.notes)
    height, width = info.shape[-2:]
    channels = list(range(info.shape[0]))[::-1][:2]
    region = Region(height // 3, width // 4, height // 2, width // 3)
    part = read_image(path, expected.dimensions, channels=channels, region=region)
    window = whole.array[channels][..., region.y : region.y + region.height, region.x : region.x + region.width]
    np.testing.assert_array_equal(part.array, window)
    assert part.channel_names == tuple(whole.channel_names[index] for index in channels)


def _agree(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    assert found.shape == expected.shape
    if tolerance:
        assert np.abs(found.astype(float) - expected.astype(float)).max() <= tolerance
    else:
        assert found.dtype == expected.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found, expected)
