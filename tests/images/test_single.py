"""Values as float32: what is relative stays, whatever the type and the offset."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instanseg_export.images.single import as_float32

TYPES = ("uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64")


@given(st.sampled_from(TYPES), st.floats(0, 1), st.sampled_from([255, 4095, 60000]), st.booleans())
def test_order_and_distances_stay(name: str, where: float, span: int, jointly: bool) -> None:
    dtype = np.dtype(name)
    least, most = (0, 1024) if name == "float16" else (0, 2**22) if name == "float32" else (0, 2**52)
    if dtype.kind in "iu":
        least, most = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    span = min(span, most - least, 255 if dtype.itemsize == 1 or name == "float16" else span)
    offset = least + int(where * 0.999 * (most - least - span))
    steps = np.linspace(0, span, 50).astype(int)
    planes = np.array([[[offset + int(step) for step in steps]]], dtype=object).astype(dtype)
    found, _ = as_float32(planes, jointly=jointly)
    assert found.dtype == np.float32
    relative = (found.astype(np.float64) - found.min()) / (float(found.max()) - float(found.min()))
    np.testing.assert_allclose(relative[0, 0], steps / span, atol=1 / 2000)


@pytest.mark.parametrize("factor", [1e-300, 1e-40, 1e-33, 1.0, 1e31, 1e300, 1.7e306])
def test_scale_does_not_matter(factor: float) -> None:
    planes = np.arange(-50, 51, dtype=np.float64).reshape(1, 1, -1) * factor
    planes[0, 0, 3] = np.nan
    found, moved = as_float32(planes)
    assert moved == (factor != 1.0)
    relative = (found[0, 0] - np.nanmin(found)) / (np.nanmax(found) - np.nanmin(found))
    expected = np.arange(101) / 100
    expected[3] = np.nan
    np.testing.assert_allclose(relative, expected, atol=1e-4)


def test_what_fits_is_left_alone() -> None:
    planes = np.array([[[0.0, 0.5, 1.0]], [[7.0, 7.0, 7.0]]])
    found, moved = as_float32(planes)
    assert not moved
    np.testing.assert_array_equal(found, planes)
