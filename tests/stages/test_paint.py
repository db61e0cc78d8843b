"""Painting: each pixel goes to one of the masks that cover it, here against dense arrays."""

from __future__ import annotations

import torch

from instanseg_export.stages.paint import list_mask_pixels, paint
from instanseg_export.stages.sentinels import huge, no_owner
from instanseg_export.stages.windows import WindowGrid
from support.scenes import boxes, check
from support.scripted import agreed


def test_equal_logits_go_to_the_first_seed() -> None:
    labels = check(boxes(20, 10, [(4, 0, 10), (14, 8, 20)]), overlap_threshold=0.9)
    assert labels[0, 0].tolist() == [1] * 10 + [2] * 10


def test_higher_logit_wins() -> None:
    labels = check(boxes(20, 10, [(4, 0, 10), (14, 8, 20)], levels=[1, 2]), overlap_threshold=0.9)
    assert labels[0, 0].tolist() == [1] * 8 + [2] * 12


def test_many_masks_over_one_pixel() -> None:
    spans = [(2 * k, 0, 24) for k in range(12)]
    assert check(boxes(24, 12, spans), overlap_threshold=0.9).max() == 1
    nested = [(2 * k, k, 24 - k) for k in range(12)]
    check(boxes(24, 12, nested, levels=list(range(1, 13))), overlap_threshold=0.9)


def test_background_has_no_owner() -> None:
    windows = torch.full((2, 16), -huge())
    mask = windows >= 0.0
    mask_pixels = agreed(
        list_mask_pixels,
        windows,
        mask,
        torch.zeros_like(mask),
        torch.tensor([[0, 1, 1, 1], [0, 0, 0, 0]]),
        torch.tensor(0.0),
        WindowGrid(2, 5, 5),
    )
    assert (agreed(paint, mask_pixels, 25) == no_owner()).all()
