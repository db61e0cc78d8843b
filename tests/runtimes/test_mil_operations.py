"""Each operation of the interpreter of MIL against torch, on random shapes and values."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.paths import ROOT

sys.path.insert(0, str(ROOT / "runtimes/_shared"))

from mil.operations import OPERATIONS

from support.mil_cases import CASES, Random


def test_every_operation_has_a_case() -> None:
    assert set(CASES) == set(OPERATIONS)


@pytest.mark.parametrize("name", CASES)
def test_is_what_torch_computes(name: str) -> None:
    @settings(max_examples=40, deadline=None)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        inputs, expected = CASES[name](Random(data.draw))
        before = {key: np.copy(value) for key, value in inputs.items() if isinstance(value, np.ndarray)}
        found = OPERATIONS[name](inputs)
        if not isinstance(expected, tuple):
            found, expected = (found,), (expected,)
        for one, other in zip(found, expected, strict=True):
            assert np.asarray(one).dtype == other.numpy().dtype
            np.testing.assert_allclose(one, other.numpy(), rtol=2e-6, atol=2e-5, strict=False)
            assert np.shape(one) == tuple(other.shape)
        for key, value in before.items():
            np.testing.assert_array_equal(inputs[key], value, err_msg="an input was written to")

    check()


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("cumsum", {"x": np.ones(3, np.int32), "axis": 0, "reverse": True}),
        ("pad", {"x": np.ones((3, 3), np.float32), "pad": [1, 1], "mode": "reflect"}),
        ("gather", {"x": np.ones((3, 3)), "indices": np.zeros((3, 1), np.int32), "axis": 1, "batch_dims": 1}),
        ("conv", {"x": np.ones((1, 1, 3, 3)), "pad_type": "same"}),
        ("gelu", {"x": np.ones(3, np.float32), "mode": "TANH_APPROXIMATION"}),
        ("layer_norm", {"x": np.ones((2, 3), np.float32), "axes": [0]}),
        (
            "conv_transpose",
            {
                "x": np.ones((1, 1, 3, 3)),
                "weight": np.ones((1, 1, 2, 2)),
                "strides": [1, 1],
                "dilations": [1, 1],
                "groups": 1,
                "output_shape": [1, 1, 5, 5],
            },
        ),
        ("concat", {"values": (np.ones(3), np.ones(3)), "axis": 0, "interleave": True}),
    ],
)
def test_forms_that_are_not_known_are_refused(name: str, inputs: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedError):
        OPERATIONS[name](inputs)


@pytest.mark.parametrize("name", ["rsqrt", "log", "add", "relu", "sigmoid", "clip", "reduce_mean", "square", "sqrt"])
def test_float16_stays_float16(name: str) -> None:
    x = np.array([0.25, 1, 4], np.float16)
    inputs = {"x": x, "y": x, "alpha": x[0], "beta": x[1], "epsilon": np.float16(0), "axes": [0], "keep_dims": True}
    assert np.asarray(OPERATIONS[name](inputs)).dtype == np.float16
