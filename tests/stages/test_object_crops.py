"""Crops of objects against a plain loop over objects with numpy, and what belongs to which row."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from instanseg_export.stages.object_crops import chunk_objects, crop_objects, list_objects, pixel_table, rows_of_images
from support.scripted import agreed, same


def label_map(seed: int, batch: int, height: int, width: int, objects: int) -> Tensor:
    """Rectangles, later ones over earlier ones, so that ids can be missing."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((batch, height, width), dtype=np.float32)
    for image in labels:
        for number in range(1, int(rng.integers(0, objects + 1)) + 1):
            top, left = rng.integers(0, height), rng.integers(0, width)
            image[top : top + rng.integers(1, 9), left : left + rng.integers(1, 9)] = number
    return torch.from_numpy(labels)


def crop_by_hand(image: np.ndarray, labels: np.ndarray, number: int, size: int) -> np.ndarray:
    """(C + 1, size, size): the window that lies inside of the image, or the image inside of the window."""
    rows, columns = np.nonzero(labels == number)
    crop = np.zeros((len(image) + 1, size, size), dtype=np.float32)
    corner = []
    for places, length in ((rows, labels.shape[0]), (columns, labels.shape[1])):
        low, high = sorted((0, length - size))
        corner.append(min(max(int(places.sum() // len(places)) - size // 2, low), high))
    for r in range(size):
        for c in range(size):
            y, x = corner[0] + r, corner[1] + c
            if 0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]:
                crop[:-1, r, c] = image[:, y, x]
                crop[-1, r, c] = labels[y, x] == number
    return crop


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 999),
    batch=st.integers(1, 3),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    objects=st.integers(0, 6),
    size=st.sampled_from([2, 8, 16]),
)
def test_crops_equal_those_made_by_hand(
    seed: int, batch: int, height: int, width: int, objects: int, size: int
) -> None:
    labels = label_map(seed, batch, height, width, objects)
    image = torch.rand(batch, 2, height, width, generator=torch.Generator().manual_seed(seed))
    found = agreed(list_objects, labels)
    expected = [(b, int(n)) for b in range(batch) for n in np.unique(labels[b]) if n > 0]
    assert [(int(b), int(n)) for b, n, _, _ in found.table] == expected
    assert found.place.shape == found.present.shape == (batch, int(labels.max()))

    chunks = agreed(chunk_objects, found.table, 3)
    assert len(chunks) >= 1
    table = agreed(pixel_table, image, labels)
    crops = torch.cat([agreed(crop_objects, table, chunk, size, height, width) for chunk in chunks])
    for (b, n), crop in zip(expected, crops[: len(expected)], strict=True):
        np.testing.assert_array_equal(crop.numpy(), crop_by_hand(image[b].numpy(), labels[b].numpy(), n, size))

    ids = torch.cat([found.table[:, :2].float() + 1, torch.zeros(len(chunks) * 3 - len(expected), 2)])
    rows = agreed(rows_of_images, ids, found)
    for b in range(batch):
        for r in range(rows.shape[1]):
            there = bool((labels[b] == r + 1).any())
            assert rows[b, r].tolist() == ([b + 1, r + 2] if there else [0, 0])


def test_a_large_object_has_its_exact_centre() -> None:
    labels = torch.zeros(1, 1500, 1600)
    labels[0, 1100:1400, 900:1217] = 1
    labels[0, 0, 0] = 2
    assert list_objects(labels).table.tolist() == [[0, 1, 1249, 1058], [0, 2, 0, 0]]


def test_no_objects_give_no_rows() -> None:
    found = agreed(list_objects, torch.zeros(2, 5, 6))
    assert found.table.shape == (0, 4)
    assert found.place.shape == (2, 0)
    assert rows_of_images(torch.ones(3, 4), found).shape == (2, 0, 4)
    assert same(chunk_objects(found.table, 4), torch.zeros(1, 4, 4, dtype=torch.int64))
