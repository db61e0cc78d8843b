"""Painting, merging and numbering against dense arrays: one row per seed, one column per pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from drawn_parts import kept
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.sparse.csgraph import connected_components
from scripted import agreed

from instanseg_export.stages.merge import merge_overlapping
from instanseg_export.stages.number import close_gaps, number_instances
from instanseg_export.stages.paint import list_mask_pixels, paint
from instanseg_export.stages.sentinels import huge, no_owner
from instanseg_export.stages.windows import WindowGrid, window_corners

THRESHOLD = np.float32(0.125)


@dataclass
class Scene:
    """Seeds in raster order, and the logits of each one's window; what lies beyond the image is in no mask."""

    planes: int
    height: int
    width: int
    half: int
    peak_distance: int
    seeds: list[tuple[int, int, int]]
    windows: np.ndarray  # (K, S, S) float32

    @property
    def grid(self) -> WindowGrid:
        return WindowGrid(self.half, self.height, self.width)

    def corners(self) -> list[tuple[int, int]]:
        top, left = window_corners(torch.tensor(self.seeds, dtype=torch.int64).view(-1, 3), self.grid)
        return list(zip(top.tolist(), left.tolist(), strict=True))

    def dense(self) -> np.ndarray:
        """Logits (K, P, H, W) float32."""
        logits = np.full((len(self.seeds), self.planes, self.height, self.width), -huge(), dtype=np.float32)
        for k, (top, left) in enumerate(self.corners()):
            inside = logits[k, self.seeds[k][0], top : top + 2 * self.half, left : left + 2 * self.half]
            inside[:] = self.windows[k, : inside.shape[0], : inside.shape[1]]
        return logits


def labels_of(scene: Scene, overlap_threshold: float, min_size: int, connected: bool = False) -> np.ndarray:
    """Run the stages, with two places of filling behind the seeds."""
    filling = torch.zeros(2, 4, dtype=torch.int64)
    seeds = torch.cat([torch.tensor([[*seed, 1] for seed in scene.seeds], dtype=torch.int64).view(-1, 4), filling])
    windows = torch.full((len(seeds), (2 * scene.half) ** 2), -huge())
    for k, (top, left) in enumerate(scene.corners()):
        window = torch.full((2 * scene.half, 2 * scene.half), -huge())
        rows, columns = scene.height - top, scene.width - left
        window[:rows, :columns] = torch.from_numpy(scene.windows[k])[:rows, :columns]
        windows[k] = window.flatten()
    pixels = scene.planes * scene.height * scene.width
    mask = windows >= THRESHOLD
    mask_pixels = agreed(
        list_mask_pixels, windows, mask, torch.zeros_like(mask), seeds, torch.tensor(THRESHOLD), scene.grid
    )
    owner = agreed(paint, mask_pixels, pixels)
    shape = scene.planes, scene.height, scene.width
    distance, threshold = torch.tensor(scene.peak_distance), torch.tensor(overlap_threshold)
    root = agreed(merge_overlapping, mask_pixels, seeds, scene.planes, scene.grid, distance, threshold)
    numbers, first_seed = agreed(number_instances, owner, root, *shape, torch.tensor(min_size), torch.tensor(connected))
    plane = seeds[:, 0].index_select(0, first_seed)
    labels: np.ndarray = agreed(close_gaps, numbers, plane, scene.planes).numpy()
    return labels.reshape(scene.planes, scene.height, scene.width)


def reference(scene: Scene, overlap_threshold: float, min_size: int, connected: bool = False) -> np.ndarray:
    logits = scene.dense()
    masks = (logits >= THRESHOLD).reshape(len(logits), -1)
    shared = masks.astype(np.float32) @ masks.astype(np.float32).T
    areas = np.diag(shared)
    union = areas[:, None] + areas[None] - shared
    _, group = connected_components(shared > np.float32(overlap_threshold) * union, directed=False)
    first_of = [int(np.flatnonzero(group == g)[0]) for g in group]
    owner = np.where(masks.any(axis=0), logits.reshape(len(logits), -1).argmax(axis=0), -1)
    labels = np.zeros(owner.shape, dtype=np.int64)
    count = [0] * scene.planes
    for k, seed in enumerate(scene.seeds):
        if first_of[k] == k:
            owned = np.isin(owner, np.flatnonzero(np.array(first_of) == k))
            if connected:
                # All of it lies in one plane, so planes may touch.
                owned = kept(owned.reshape(-1, scene.width).astype(int)).ravel() > 0
            if owned.sum() >= max(min_size, 1):
                count[seed[0]] += 1
                labels[owned] = count[seed[0]]
    return labels.reshape(scene.planes, scene.height, scene.width)


def check(scene: Scene, overlap_threshold: float = 0.3, min_size: int = 0, connected: bool = False) -> np.ndarray:
    labels = labels_of(scene, overlap_threshold, min_size, connected)
    np.testing.assert_array_equal(labels, reference(scene, overlap_threshold, min_size, connected))
    return labels


def random_scene(rng: np.random.Generator, planes: int, height: int, width: int, half: int, distance: int) -> Scene:
    """Round masks of many sizes around random seeds, with logits of few levels, so that ties abound."""
    tried = sorted(
        {(int(rng.integers(planes)), int(rng.integers(height)), int(rng.integers(width))) for _ in range(80)}
    )
    seeds: list[tuple[int, int, int]] = []
    for plane, y, x in tried:
        if all(plane != p or max(abs(y - r), abs(x - c)) > distance for p, r, c in seeds):
            seeds.append((plane, y, x))
    scene = Scene(planes, height, width, half, distance, seeds, np.empty(0, dtype=np.float32))
    windows = []
    for (_, y, x), (top, left) in zip(seeds, scene.corners(), strict=True):
        rows, columns = np.mgrid[top : top + 2 * half, left : left + 2 * half]
        radius = rng.uniform(0, 1.5 * half)
        noise = ndimage.uniform_filter(rng.random((2 * half, 2 * half)), 3)
        height_above = radius - np.hypot(rows - y - rng.integers(-2, 3), columns - x) + 6 * (noise - 0.5)
        windows.append(np.round(height_above / 2).clip(-4, 3).astype(np.float32) / 2 - np.float32(0.375))
    scene.windows = np.stack(windows)
    return scene


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 99_999),
    planes=st.integers(1, 3),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    half=st.integers(1, 9),
    distance=st.integers(1, 7),
    overlap_threshold=st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0]),
    min_size=st.sampled_from([0, 1, 7, 30]),
    connected=st.booleans(),
)
def test_equals_dense_arrays(
    seed: int,
    planes: int,
    height: int,
    width: int,
    half: int,
    distance: int,
    overlap_threshold: float,
    min_size: int,
    connected: bool,
) -> None:
    scene = random_scene(np.random.default_rng(seed), planes, height, width, half, distance)
    check(scene, overlap_threshold, min_size, connected)


def boxes(
    width: int, half: int, spans: list[tuple[int, int, int]], height: int = 1, levels: list[int] | None = None
) -> Scene:
    """Masks that fill all rows of the columns from the second number to the third, seed at the first, level falling."""
    scene = Scene(1, height, width, half, 1, [(0, 0, x) for x, _, _ in spans], np.empty(0, dtype=np.float32))
    windows = np.full((len(spans), 2 * half, 2 * half), -1.0, dtype=np.float32)
    for k, ((_, start, stop), (_, left)) in enumerate(zip(spans, scene.corners(), strict=True)):
        windows[k, :height, max(start - left, 0) : stop - left] = 1 if levels is None else levels[k]
    scene.windows = windows
    return scene


def test_equal_logits_go_to_the_first_seed() -> None:
    labels = check(boxes(20, 10, [(4, 0, 10), (14, 8, 20)]), overlap_threshold=0.9)
    assert labels[0, 0].tolist() == [1] * 10 + [2] * 10


def test_higher_logit_wins() -> None:
    labels = check(boxes(20, 10, [(4, 0, 10), (14, 8, 20)], levels=[1, 2]), overlap_threshold=0.9)
    assert labels[0, 0].tolist() == [1] * 8 + [2] * 12


@pytest.mark.parametrize(("threshold", "instances"), [(0.49, 1), (0.5, 2), (0.51, 2)])
def test_iou_must_exceed_the_threshold(threshold: float, instances: int) -> None:
    # 4 pixels are shared, 8 are in the union.
    assert check(boxes(12, 6, [(2, 0, 6), (5, 2, 8)]), threshold).max() == instances


def test_chain_of_a_hundred_merges_into_one() -> None:
    spans = [(4 * k + 3, 4 * k, 4 * k + 7) for k in range(100)]
    labels = check(boxes(403, 8, spans), overlap_threshold=0.2)
    assert labels.max() == 1
    assert check(boxes(403, 8, spans), overlap_threshold=0.4).max() == 100


def test_chain_that_the_last_seed_closes_keeps_the_number_of_the_first() -> None:
    # The first and the second lie apart; the third joins them.
    labels = check(boxes(30, 15, [(2, 0, 10), (14, 10, 20), (22, 5, 16)]), overlap_threshold=0.3)
    assert labels.max() == 1


def test_windows_moved_in_from_opposite_borders_share_their_middle() -> None:
    half = 6
    width = 4 * half - 1
    whole = [(0, 0, 2 * half), (width - 1, width - 2 * half, width)]
    assert check(boxes(width, half, whole), overlap_threshold=0.04).max() == 1
    assert check(boxes(width, half, whole), overlap_threshold=0.05).max() == 2


def test_many_masks_over_one_pixel() -> None:
    spans = [(2 * k, 0, 24) for k in range(12)]
    assert check(boxes(24, 12, spans), overlap_threshold=0.9).max() == 1
    nested = [(2 * k, k, 24 - k) for k in range(12)]
    check(boxes(24, 12, nested, levels=list(range(1, 13))), overlap_threshold=0.9)


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


def test_no_seeds() -> None:
    scene = Scene(2, 8, 9, 4, 5, [], np.empty((0, 8, 8), dtype=np.float32))
    assert not labels_of(scene, 0.3, 10).any()


def test_gaps_are_closed_within_each_group() -> None:
    labels = torch.tensor([0, 2, 2, 5, 0, 9, 7, 7, 0])
    group_of = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 2])
    assert agreed(close_gaps, labels, group_of, 3).tolist() == [0, 1, 1, 2, 0, 1, 1, 1, 0]


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
