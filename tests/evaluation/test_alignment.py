"""Label maps that do not lie on their images are named; those that do are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from instanseg_export.evaluation.alignment import Alignment
from support.planted_shapes import shapes

Labels = NDArray[np.int64]


def scene(seed: int, shape: tuple[int, int] = (96, 96)) -> tuple[Labels, Labels]:
    """What a model found, and the truth: edges differ, a few objects are missing on either side."""
    random = np.random.default_rng(seed)
    truth = shapes(shape, seed, 0.45, 3.0, 40).astype(np.int64)
    found = np.where(random.random(shape) < 0.93, truth, 0)
    found[np.isin(truth, random.choice(np.unique(truth), 3))] = 0
    return found[None], truth[None]


def shifted(labels: Labels, down: int, right: int) -> Labels:
    """The same, moved; what comes in at the edges is background."""
    moved = np.roll(labels, (down, right), axis=(1, 2))
    moved[:, : max(0, down)] = 0
    moved[:, labels.shape[1] + min(0, down) :] = 0
    moved[:, :, : max(0, right)] = 0
    moved[:, :, labels.shape[2] + min(0, right) :] = 0
    return moved


def warnings(pairs: list[tuple[Labels, Labels]]) -> list[str]:
    alignment = Alignment()
    for place, (found, truth) in enumerate(pairs):
        alignment.add(place, f"image{place}", found, truth)
    return alignment.warnings(lambda place: pairs[place])


@given(st.integers(-15, 15), st.integers(-15, 15), st.integers(0, 50), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_every_shift_of_all_label_maps_is_found(down: int, right: int, seed: int, count: int) -> None:
    pairs = [scene(seed + place) for place in range(count)]
    found = warnings([(found, shifted(truth, down, right)) for found, truth in pairs])
    if (down, right) == (0, 0):
        assert found == []
        return
    (sentence,) = found
    assert "label maps seem to be shifted" in sentence
    for by, words in ((down, "down" if down > 0 else "up"), (right, "right" if right > 0 else "left")):
        assert (f"{abs(by)} pixel" in sentence and words in sentence) if by else words not in sentence


@pytest.mark.parametrize("shift", [(4, 0), (0, -6), (-9, 9)])
def test_one_shifted_label_map_among_others_is_named(shift: tuple[int, int]) -> None:
    pairs = [scene(seed) for seed in range(6)]
    found, truth = pairs[4]
    pairs[4] = (found, shifted(truth, *shift))
    (sentence,) = warnings(pairs)
    assert "image4" in sentence
    assert "image3" not in sentence


TURNS: dict[str, Callable[[Labels], Labels]] = {
    "mirrored left to right": lambda labels: np.flip(labels, 2),
    "mirrored top to bottom": lambda labels: np.flip(labels, 1),
    "turned by 180 degrees": lambda labels: np.rot90(labels, 2, (1, 2)),
    "transposed": lambda labels: labels.swapaxes(1, 2),
    "turned by 90 degrees clockwise": lambda labels: np.rot90(labels, 1, (1, 2)),
    "turned by 90 degrees counter-clockwise": lambda labels: np.rot90(labels, -1, (1, 2)),
    "mirrored at the other diagonal": lambda labels: np.rot90(labels, 2, (1, 2)).swapaxes(1, 2),
}


@pytest.mark.parametrize("words", TURNS)
def test_every_orientation_is_found(words: str) -> None:
    """The words say how the label map has to be laid to fit."""
    pairs = [scene(seed) for seed in range(4)]
    wrong = [(found, np.ascontiguousarray(TURNS[words](truth))) for found, truth in pairs[:3]]
    (sentence,) = warnings([*wrong, pairs[3]])
    assert words in sentence
    assert "image0, image1, image2" in sentence
    assert "image3" not in sentence


def test_good_label_maps_and_a_poor_model_raise_no_doubt() -> None:
    """What is found has nothing to do with the truth: no shift and no orientation makes it better."""
    pairs = [(scene(seed)[0], scene(seed + 100)[1]) for seed in range(8)]
    assert warnings(pairs) == []
    assert warnings([(np.zeros_like(found), truth) for found, truth in pairs]) == []
    assert warnings([scene(seed) for seed in range(8)]) == []
