"""Numbering of instances: small ones are dropped, the order is that of the seeds, and no number is left out."""

from __future__ import annotations

import torch

from instanseg_export.stages.number import close_gaps
from support.scenes import boxes, check
from support.scripted import agreed


def test_small_instances_are_dropped_after_merging_and_leave_no_gap() -> None:
    spans = [(1, 0, 3), (6, 5, 8), (8, 5, 8), (14, 10, 18)]
    labels = check(boxes(20, 10, spans), overlap_threshold=0.6, min_size=4)
    assert labels[0, 0].tolist() == [0] * 10 + [1] * 8 + [0] * 2
    merged = check(boxes(20, 10, spans), overlap_threshold=0.6, min_size=3)
    assert merged.max() == 3


def test_instance_whose_first_seed_owns_nothing_keeps_its_place_in_the_order() -> None:
    scene = boxes(30, 15, [(2, 0, 8), (5, 12, 20), (14, 0, 8)], levels=[1, 1, 2])
    labels = check(scene, overlap_threshold=0.5)
    assert labels[0, 0, 0] == 1
    assert labels[0, 0, 15] == 2


def test_gaps_are_closed_within_each_group() -> None:
    labels = torch.tensor([0, 2, 2, 5, 0, 9, 7, 7, 0])
    group_of = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 2])
    assert agreed(close_gaps, labels, group_of, 3).tolist() == [0, 1, 1, 2, 0, 1, 1, 1, 0]
