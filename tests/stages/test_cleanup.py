"""Cleanup against scipy's connected components, in the words of the contract."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor

from instanseg_export.stages.cleanup import bits_of_word, clean_up, most_windows, pack, unpack
from instanseg_export.stages.sentinels import huge
from support.scripted import agreed

EIGHT = np.ones((3, 3), dtype=bool)
THRESHOLD = torch.tensor(0.25)
WORD = bits_of_word(most_windows(), torch.device("cpu"))
ON, OFF = torch.tensor(True), torch.tensor(False)


def reached(start: np.ndarray, domain: np.ndarray) -> np.ndarray:
    """Every 8-connected component of the domain that holds a start."""
    components, _ = ndimage.label(domain, EIGHT)
    found: np.ndarray = np.isin(components, components[start & domain]) & domain
    return found


def reference(logits: np.ndarray, inside: np.ndarray, seed: tuple[int, int], threshold: float) -> np.ndarray:
    mask = logits >= threshold
    start = np.zeros_like(mask)
    start[seed] = True
    kept = reached(ndimage.binary_dilation(start, EIGHT), mask)
    background = ~kept & inside
    far = background & ~ndimage.binary_dilation(kept, EIGHT, iterations=3)
    holes = background & ~reached(far, background)
    return np.where(holes, np.float32(threshold), np.where(kept, logits, np.float32(-huge())))


def cleaned(logits: Tensor, inside: Tensor, seeds: list[tuple[int, int]], enabled: Tensor = ON) -> Tensor:
    is_seed = torch.zeros(logits.shape, dtype=torch.bool)
    for n, (row, column) in enumerate(seeds):
        is_seed[n, 0, row, column] = True
    packed = [agreed(pack, _filled(masks), WORD) for masks in (logits >= THRESHOLD, is_seed, inside)]
    kept, holes = (agreed(unpack, found, WORD)[-len(logits) :, None] for found in agreed(clean_up, *packed, enabled))
    assert not (kept & holes).any()
    return torch.where(holes, THRESHOLD, torch.where(kept, logits, torch.full_like(logits, -huge())))


def _filled(masks: Tensor) -> Tensor:
    """Masks (N, 1, S, S) without their channel, behind empty ones: the last bit, the word's sign, is a window too."""
    missing = -len(masks) % len(WORD)
    return torch.cat([torch.zeros((missing, *masks.shape[2:]), dtype=torch.bool), masks[:, 0]])


def check(logits: Tensor, inside: Tensor, seeds: list[tuple[int, int]]) -> Tensor:
    result = cleaned(logits, inside, seeds)
    for n, seed in enumerate(seeds):
        expected = reference(logits[n, 0].numpy(), inside[n, 0].numpy(), seed, THRESHOLD.item())
        np.testing.assert_array_equal(result[n, 0], expected)
    return result


def drawn(*rows: str, margin: int = 5) -> tuple[Tensor, Tensor, list[tuple[int, int]]]:
    """A window from text: ``#`` is in the mask, ``S`` the seed in it, ``s`` the seed outside of it."""
    size = max(len(rows), *map(len, rows)) + 2 * margin
    values = torch.full((1, 1, size, size), -1.0)
    seeds = []
    for i, row in enumerate(rows, margin):
        for j, pixel in enumerate(row, margin):
            values[0, 0, i, j] = 1.0 if pixel in "#S" else -1.0
            if pixel in "Ss":
                seeds.append((i, j))
    return values, torch.ones(values.shape, dtype=torch.bool), seeds


@settings(max_examples=120, deadline=None)
@given(
    size=st.integers(2, 20),
    count=st.integers(1, 3),
    density=st.sampled_from([0.05, 0.35, 0.5, 0.65, 0.8]),
    smooth=st.booleans(),
    seed=st.integers(0, 9999),
)
def test_equals_connected_components(size: int, count: int, density: float, smooth: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.random((count, 1, size, size))
    if smooth:
        noise = ndimage.uniform_filter(noise, (1, 1, 3, 3))
    logits = torch.from_numpy((np.quantile(noise, density) - noise + THRESHOLD.item()).astype(np.float32))
    inside = torch.zeros(logits.shape, dtype=torch.bool)
    height, width = rng.integers(1, size + 1, 2)
    inside[:, :, :height, :width] = True
    logits = torch.where(inside, logits, -huge())
    seeds = [(int(rng.integers(height)), int(rng.integers(width))) for _ in range(count)]
    check(logits, inside, seeds)


def test_fragments_are_dropped_and_corners_connect() -> None:
    result = check(*drawn("#....#", ".#...#", "..S...", "......", "....##", "....##"))
    assert (result >= THRESHOLD).sum() == (result == 1.0).sum() == 3


def test_seed_outside_of_its_mask_counts_with_its_neighbours() -> None:
    result = check(*drawn("......", ".##...", "...s..", "....#.", "......", "#....."))
    assert (result >= THRESHOLD).sum() == 3


def test_seed_with_nothing_around_gives_an_empty_mask() -> None:
    result = check(*drawn("#.....", "......", "...s..", "......"))
    assert (result == -huge()).all()


def test_hole_is_filled_at_the_threshold() -> None:
    result = check(*drawn("#######", "#.....#", "#.....#", "S######"))
    assert (result == THRESHOLD).sum() == 10


@pytest.mark.parametrize(("width", "filled"), [(6, True), (7, False)])
def test_enclosed_region_stays_open_if_a_pixel_is_more_than_3_away_from_the_object(width: int, filled: bool) -> None:
    wall, middle = "#" * (width + 2), "#" + "." * width + "#"
    result = check(*drawn(wall, *[middle] * width, "S" + wall[1:]))
    assert (result == THRESHOLD).sum() == (width * width if filled else 0)


@pytest.mark.parametrize(("depth", "filled"), [(3, True), (4, False)])
def test_pocket_between_object_and_border_is_filled_if_no_deeper_than_3(depth: int, filled: bool) -> None:
    result = check(*pocket(depth))
    assert (result == THRESHOLD).sum() == (20 * depth if filled else 0)


def pocket(depth: int) -> tuple[Tensor, Tensor, list[tuple[int, int]]]:
    """A mask of the whole window but for a strip along its left border."""
    values = torch.ones(1, 1, 20, 20)
    values[:, :, :, :depth] = -1.0
    return values, torch.ones(values.shape, dtype=torch.bool), [(10, 12)]


def test_spiral_of_more_than_64_steps_is_kept_whole() -> None:
    size = 64
    mask = np.zeros((size, size), dtype=bool)
    row, column, (down, right) = 0, 0, (0, 1)
    mask[0, 0] = True
    length = 0
    for _ in range(size * size):
        ahead = (row + down, column + right)
        beyond = (row + 2 * down, column + 2 * right)
        blocked = not (0 <= ahead[0] < size and 0 <= ahead[1] < size)
        blocked = blocked or (0 <= beyond[0] < size and 0 <= beyond[1] < size and mask[beyond])
        if blocked:
            down, right = right, -down
            if mask[row + 2 * down, column + 2 * right]:
                break
            continue
        row, column = ahead
        mask[ahead] = True
        length += 1
    assert length > 1000
    logits = torch.from_numpy(np.where(mask, np.float32(1), np.float32(-1)))[None, None]
    result = check(logits, torch.ones(logits.shape, dtype=torch.bool), [(0, 0)])
    assert ((result[0, 0] >= THRESHOLD).numpy() >= mask).all()


@pytest.mark.parametrize("count", [1, 4])
def test_disabled_leaves_the_masks_alone(count: int) -> None:
    logits = torch.randn(count, 1, 12, 12)
    inside = torch.ones(logits.shape, dtype=torch.bool)
    expected = torch.where(logits >= THRESHOLD, logits, torch.full_like(logits, -huge()))
    assert torch.equal(cleaned(logits, inside, [(3, 3)] * count, OFF), expected)


@pytest.mark.parametrize("windows", [1, 2, 7, 8, most_windows()])
def test_packed_masks_come_back(windows: int) -> None:
    masks = torch.rand(3 * windows, 5, 7, generator=torch.Generator().manual_seed(0)) > 0.5
    word = bits_of_word(windows, masks.device)
    packed = agreed(pack, masks, word)
    assert packed.shape == (3, 5, 7)
    assert (packed >= 0).all(), "the sign is no bit"
    assert torch.equal(agreed(unpack, packed, word), masks)
