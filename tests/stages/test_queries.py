"""Which queries are kept, what their masks are, and who gets which pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from instanseg_export.stages.amodal import full_masks, label_instances
from instanseg_export.stages.queries import (
    Queries,
    class_probabilities,
    inside_image,
    keep_queries,
    maskness,
    suppress_duplicates,
)
from instanseg_export.stages.upsample import enlarge
from support.scripted import agreed

ZERO = torch.tensor(0.0)
HALF = torch.tensor(0.5)


def blobs(batch: int, queries: int, height: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits of round masks with ragged edges, and of three classes and "no object"."""
    generator = torch.Generator().manual_seed(seed)
    down, right = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    y, x, r = torch.rand(3, batch, queries, 1, 1, generator=generator)
    distance = torch.hypot(down - y * height, right - x * width)
    masks = 2 + 6 * r - distance + 0.3 * torch.randn(batch, queries, height, width, generator=generator)
    return masks, 3 * torch.randn(batch, queries, 4, generator=generator)


def test_class_probabilities_are_softmax_without_no_object() -> None:
    classes = blobs(2, 200, 8, 8)[1]
    probability, label = agreed(class_probabilities, classes)
    expected = classes.softmax(-1)[..., :-1].max(-1)
    torch.testing.assert_close(probability, expected.values, rtol=0, atol=1e-5)
    assert torch.equal(label, expected.indices)


def test_maskness_is_the_mean_probability_of_the_mask() -> None:
    logits = blobs(1, 30, 24, 24)[0][0].flatten(1)
    inside = logits > 0
    expected = (logits.sigmoid() * inside).sum(1) / inside.sum(1)
    torch.testing.assert_close(agreed(maskness, logits, ZERO), expected, rtol=0, atol=1e-5)
    assert maskness(torch.full((1, 9), -3.0), ZERO).item() == 0


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 5), (37, 61), (64, 64)])
def test_enlarging_equals_interpolation_of_what_lies_in_the_image(height: int, width: int) -> None:
    x = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(0))
    part = x[None, :, : -(-height // 4), : -(-width // 4)]
    expected = F.interpolate(part, scale_factor=4, mode="bilinear")[0, :, :height, :width]
    torch.testing.assert_close(agreed(enlarge, x, height, width), expected)


def test_padding_is_no_part_of_a_mask() -> None:
    flat = agreed(inside_image, torch.ones(1, 1, 8, 8), 9, 32)
    assert (flat.view(8, 8) > 0).any(1).tolist() == [True] * 3 + [False] * 5


def test_queries_come_by_image_and_falling_score() -> None:
    masks, classes = blobs(3, 40, 16, 16)
    found = agreed(keep_queries, masks.flatten(2), classes, HALF, ZERO)
    probability = classes.softmax(-1)[..., :-1].max(-1).values
    inside = masks > 0
    mean = (masks.sigmoid() * inside).sum((2, 3)) / inside.sum((2, 3)).clamp(min=1)
    scores = probability * mean
    expected = [(i, *s) for i in range(3) for s in sorted(((-float(v), q) for q, v in enumerate(scores[i]) if v > 0.5))]
    assert [(i, q) for i, _, q in expected] == list(zip(found.image.tolist(), found.query.tolist(), strict=True))
    torch.testing.assert_close(found.score, torch.tensor([-s for _, s, _ in expected]), rtol=0, atol=1e-5)
    assert torch.equal(found.logits, masks.flatten(2)[found.image, found.query])


def _queries(masks: np.ndarray, score: list[float], label: list[int], image: list[int] | None = None) -> Queries:
    logits = torch.from_numpy(masks.astype(np.float32)).flatten(1) * 2 - 1
    count = len(masks)
    return Queries(
        image=torch.tensor(image or [0] * count, dtype=torch.int64),
        query=torch.arange(count),
        label=torch.tensor(label, dtype=torch.int64),
        score=torch.tensor(score),
        logits=logits,
    )


def _squares(*corners: tuple[int, int, int], size: int = 20) -> np.ndarray:
    masks = np.zeros((len(corners), size, size), bool)
    for mask, (top, left, width) in zip(masks, corners, strict=True):
        mask[top : top + width, left : left + width] = True
    return masks


def test_duplicates_of_one_class_and_image_go_and_chains_are_followed() -> None:
    """1 is a duplicate of 0, 2 of 1 alone: as 1 is gone, 2 stays. 3 and 4 are like 0, of another class and image."""
    masks = _squares((0, 0, 10), (0, 2, 10), (0, 4, 10), (0, 0, 10), (0, 0, 10))
    found = _queries(masks, [0.9, 0.8, 0.7, 0.6, 0.95], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1])
    left = agreed(suppress_duplicates, found, ZERO, HALF)
    assert left.query.tolist() == [0, 2, 3, 4]
    assert suppress_duplicates(found, ZERO, torch.tensor(1.0)).query.tolist() == [0, 1, 2, 3, 4]


def test_greedy_suppression_of_many() -> None:
    masks, classes = blobs(1, 150, 16, 16)
    found = keep_queries(masks.flatten(2), classes, torch.tensor(0.1), ZERO)
    bits = (found.logits > 0).numpy()
    kept: list[int] = []
    for i in range(len(bits)):
        iou = [(bits[i] & bits[j]).sum() / (bits[i] | bits[j]).sum() for j in kept if found.label[i] == found.label[j]]
        if not any(value > 0.3 for value in iou):
            kept.append(i)
    assert 5 < len(kept) < len(bits)
    left = suppress_duplicates(found, ZERO, torch.tensor(0.3))
    assert left.query.tolist() == found.query[kept].tolist()


def test_higher_score_is_on_top_and_hidden_instances_come_last() -> None:
    """0 covers 2 wholly and 1 in part; 3 shows first; 4 is too small."""
    masks = _squares((5, 5, 8), (8, 8, 8), (7, 7, 3), (0, 10, 4), (18, 0, 1))
    found = _queries(masks, [0.9, 0.8, 0.7, 0.6, 0.55], [0, 0, 1, 0, 0])
    result = agreed(label_instances, found, torch.from_numpy(masks.astype(np.uint8)), 1, torch.tensor(2))
    assert result.score.tolist() == pytest.approx([0.6, 0.9, 0.8, 0.7])
    np.testing.assert_array_equal(result.masks, masks[[3, 0, 1, 2]])
    expected = np.zeros((20, 20), np.int64)
    for label, mask in ((3, masks[1]), (2, masks[0]), (1, masks[3])):
        expected[mask] = label
    np.testing.assert_array_equal(result.labels[0], expected)
    assert result.label.tolist() == [0, 0, 0, 1]


def test_each_image_of_a_batch_is_numbered_by_itself() -> None:
    masks = _squares((2, 2, 5), (10, 2, 5), (1, 1, 5))
    found = _queries(masks, [0.9, 0.8, 0.7], [0, 0, 0], [0, 0, 2])
    result = label_instances(found, torch.from_numpy(masks.astype(np.uint8)), 3, torch.tensor(1))
    assert result.labels.amax((1, 2)).tolist() == [2, 0, 1]
    assert result.image.tolist() == [0, 0, 2]


def test_no_queries_at_all() -> None:
    masks, classes = blobs(2, 10, 8, 8)
    found = agreed(keep_queries, masks.flatten(2), classes, torch.tensor(1.0), ZERO)
    found = agreed(suppress_duplicates, found, ZERO, HALF)
    whole = agreed(full_masks, found.logits.view(-1, 8, 8), 30, 31, ZERO)
    result = agreed(label_instances, found, whole, 2, torch.tensor(1))
    assert whole.shape == (0, 30, 31)
    assert result.labels.shape == (2, 30, 31)
    assert not result.labels.any()


def test_chunks_make_no_difference() -> None:
    logits = blobs(1, 21, 12, 10)[0][0]
    assert torch.equal(full_masks(logits, 45, 37, ZERO), full_masks(logits, 45, 37, ZERO, 50))
    torch.testing.assert_close(full_masks(logits, 45, 37, ZERO), (enlarge(logits, 45, 37) > 0).to(torch.uint8))
