"""Connected components of graphs against scipy's, and minima beyond what float32 can count."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from instanseg_export.stages.graph import connect, lower
from support.scripted import agreed


def check(edges: np.ndarray, count: int) -> np.ndarray:
    """Compare with scipy; return the lowest node that each one is connected with."""
    first, second = edges.reshape(-1, 2).T
    matrix = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    _, group = connected_components(matrix, directed=False)
    lowest = np.full(count, count)
    np.minimum.at(lowest, group, np.arange(count))
    one, other = torch.from_numpy(first.copy()), torch.from_numpy(second.copy())
    found: np.ndarray = agreed(connect, one, other, torch.arange(count)).numpy()
    np.testing.assert_array_equal(found, lowest[group])
    # The same when each node's last edge to a lower one is its parent to begin with.
    parent = np.arange(count)
    parent[edges.max(axis=-1, initial=0)] = edges.min(axis=-1, initial=count)
    np.testing.assert_array_equal(agreed(connect, one, other, torch.from_numpy(parent)).numpy(), found)
    return found


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 99_999), count=st.integers(1, 200), share=st.floats(0, 2))
def test_random_graphs(seed: int, count: int, share: float) -> None:
    check(np.random.default_rng(seed).integers(0, count, (int(count * share), 2)), count)


def test_no_edges() -> None:
    assert check(np.zeros((0, 2), dtype=np.int64), 5).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("order", ["rising", "falling", "shuffled"])
@pytest.mark.parametrize("shape", ["chain", "tree", "star", "ladder"])
def test_long_ways(order: str, shape: str) -> None:
    count = 5000
    node = np.arange(1, count)
    before = {"chain": node - 1, "tree": node // 2, "star": node * 0, "ladder": np.maximum(node - 2, 0)}[shape]
    names = np.arange(count)
    if order == "falling":
        names = names[::-1]
    elif order == "shuffled":
        names = np.random.default_rng(0).permutation(count)
    assert not check(np.stack([names[before], names[node]], axis=1), count).any()


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 99_999), largest=st.sampled_from([3, 4096, 10_000, 2**24 + 5, 2**31, 2**36 - 1]))
def test_minima_are_exact(seed: int, largest: int) -> None:
    rng = np.random.default_rng(seed)
    values, place, candidate = rng.integers(0, largest, 7), rng.integers(0, 7, 40), rng.integers(0, largest, 40)
    near = rng.random(40) < 0.5
    candidate[near] = np.maximum(values[place[near]] - rng.integers(-1, 2, near.sum()), 0)
    expected = values.copy()
    np.minimum.at(expected, place, candidate)
    found = agreed(lower, torch.from_numpy(values), torch.from_numpy(place), torch.from_numpy(candidate))
    np.testing.assert_array_equal(found.numpy(), expected)
