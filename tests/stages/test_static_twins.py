"""Twins of stages for the static form of a forward: where every loop came to its end, they find what stages find."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from instanseg_export.stages import loops
from instanseg_export.stages.cleanup import bits_of_word, clean_up, pack, unpack
from instanseg_export.stages.cleanup_static import clean_up_static
from instanseg_export.stages.connected import connected_cells
from instanseg_export.stages.merge_static import merge_overlapping_static
from instanseg_export.stages.nuclei_to_cells import match_nuclei_to_cells
from instanseg_export.stages.number import close_gaps, number_instances
from instanseg_export.stages.paint import paint
from instanseg_export.stages.paint_static import list_windows
from instanseg_export.stages.seeds import pick_seeds
from instanseg_export.stages.seeds_static import first_seeds
from instanseg_export.stages.sentinels import huge
from instanseg_export.stages.windows import chunk_seeds, open_windows
from support.drawn_parts import SHAPES, broken_cells
from support.scenes import THRESHOLD, Scene, boxes, labels_of, random_scene

TRUE = torch.tensor(True)


def ended(within: loops.Bounded) -> bool:
    """Whether every loop in the block came to its end."""
    return not any(map(bool, within.unfinished))


@settings(max_examples=100, deadline=None)
@given(
    planes=st.integers(1, 3),
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    radius=st.integers(1, 7),
    levels=st.sampled_from([1, 2, 3, 5, 1000]),
    most=st.integers(1, 40),
    seed=st.integers(0, 999),
)
def test_the_first_seeds_are_those_of_the_stage(
    planes: int, height: int, width: int, radius: int, levels: int, most: int, seed: int
) -> None:
    seed_map = torch.randint(0, levels, (planes, height, width), generator=torch.Generator().manual_seed(seed)) / levels
    threshold = torch.tensor(0.25)
    expected = pick_seeds(seed_map, torch.tensor(radius), threshold)
    seeds, found = first_seeds(seed_map, radius, threshold, most)
    assert found.tolist() == [len(expected)]
    assert torch.equal(seeds, chunk_seeds(expected[:most], most)[0])


def _cleaned(mask: Tensor, seed: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    bits = bits_of_word(len(mask), mask.device)
    kept, holes = clean_up(pack(mask, bits), pack(seed, bits), pack(inside, bits), TRUE)
    return unpack(kept, bits), unpack(holes, bits)


@settings(max_examples=100, deadline=None)
@given(
    size=st.integers(2, 24),
    count=st.integers(1, 4),
    density=st.sampled_from([0.1, 0.35, 0.5, 0.65, 0.9]),
    smooth=st.integers(1, 4),
    seed=st.integers(0, 9999),
)
def test_masks_are_cleaned_alike(size: int, count: int, density: float, smooth: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(count, 1, size + smooth - 1, size + smooth - 1, generator=generator)
    noise = torch.nn.functional.avg_pool2d(noise, smooth, 1)[:, 0]
    rows, columns = torch.randint(1, size + 1, (2,), generator=generator).tolist()
    inside = torch.zeros(count, size, size, dtype=torch.bool)
    inside[:, :rows, :columns] = True
    mask = (noise < noise.quantile(density)) & inside
    is_seed = torch.zeros_like(mask)
    for place in range(count):
        is_seed[place, int(torch.randint(rows, (), generator=generator)), 0] = True
    with loops.bounded() as within:
        found = clean_up_static(mask, is_seed, inside)
    if ended(within):
        assert all(map(torch.equal, found, _cleaned(mask, is_seed, inside)))
    else:
        assert density not in (0.1, 0.9)


def test_a_flood_that_does_not_end_says_so() -> None:
    """A snake of many bends: each step of a flood goes around one of them."""
    size = 40
    mask = torch.zeros(1, size, size, dtype=torch.bool)
    mask[:, ::2] = True
    mask[:, 1::4, -1] = mask[:, 3::4, 0] = True
    is_seed = torch.zeros_like(mask)
    is_seed[:, 0, 0] = True
    with loops.bounded() as within:
        kept, _ = clean_up_static(mask, is_seed, torch.ones_like(mask))
    assert not ended(within)
    assert kept.sum() < mask.sum()


def static_labels_of(scene: Scene, overlap_threshold: float, min_size: int, connected: bool) -> tuple[np.ndarray, bool]:
    """What :func:`support.scenes.labels_of` does, by the twins; and whether all loops came to their end."""
    most = len(scene.seeds) + 2
    seeds = chunk_seeds(torch.tensor(scene.seeds, dtype=torch.int64).view(-1, 3), most)[0]
    windows = open_windows(seeds, scene.grid)
    logits = torch.full(windows.pixel.shape, -huge())
    logits[: len(scene.seeds)] = torch.from_numpy(scene.windows).flatten(1)
    logits = torch.where(windows.inside.flatten(1), logits, -huge())
    pixels = scene.planes * scene.height * scene.width
    mask = logits >= float(THRESHOLD)
    with loops.bounded() as within:
        listed = list_windows(logits, mask, torch.zeros_like(mask), windows.pixel, torch.tensor(THRESHOLD), pixels)
        owner = paint(listed, pixels + 1)[:pixels]
        root = merge_overlapping_static(listed, pixels, torch.tensor(overlap_threshold))
        shape = scene.planes, scene.height, scene.width
        numbers, first_seed = number_instances(owner, root, *shape, torch.tensor(min_size), torch.tensor(connected))
        labels = close_gaps(numbers, seeds[:, 0].index_select(0, first_seed), scene.planes)
    return labels.view(shape).numpy(), ended(within)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 99_999),
    planes=st.integers(1, 3),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    half=st.integers(1, 9),
    distance=st.integers(2, 7),
    overlap_threshold=st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0]),
    min_size=st.sampled_from([0, 1, 7, 30]),
    connected=st.booleans(),
)
def test_overlapping_masks_are_painted_merged_and_numbered_alike(
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
    labels, end = static_labels_of(scene, overlap_threshold, min_size, connected)
    if end:
        np.testing.assert_array_equal(labels, labels_of(scene, overlap_threshold, min_size, connected))
    else:
        assert distance < 7, "more masks over one another than seeds that far apart have"


@pytest.mark.parametrize("links", [5, 40])
def test_long_chains_merge_or_say_that_they_did_not(links: int) -> None:
    scene = boxes(4 * links + 3, 8, [(4 * k + 3, 4 * k, 4 * k + 7) for k in range(links)])
    labels, end = static_labels_of(scene, 0.2, 0, connected=False)
    assert end
    assert labels.max() == 1


def test_more_masks_over_one_another_than_layers_say_so() -> None:
    scene = boxes(80, 40, [(x, 0, 80) for x in range(0, 80, 2)])
    _, end = static_labels_of(scene, 0.2, 0, connected=False)
    assert not end


@pytest.mark.parametrize("name", SHAPES)
def test_parts_are_found_alike_in_shapes(name: str) -> None:
    cells = torch.from_numpy(np.ascontiguousarray(SHAPES[name][None]))
    arguments = torch.zeros_like(cells), cells, int(cells.max()) + 1, torch.tensor(0), TRUE
    with loops.bounded() as within:
        found = connected_cells(*arguments)
    assert ended(within)
    assert torch.equal(found, connected_cells(*arguments))


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 99_999),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    count=st.integers(0, 6),
    clumps=st.integers(1, 5),
)
def test_nuclei_and_cells_are_matched_alike(seed: int, height: int, width: int, count: int, clumps: int) -> None:
    rng = np.random.default_rng(seed)
    nuclei = torch.from_numpy(broken_cells(rng, height, width, count, clumps).astype(np.int64))
    cells = torch.from_numpy(broken_cells(rng, height, width, count, clumps).astype(np.int64))
    cells = torch.where(cells > 0, cells + nuclei.max(), 0)
    arguments = nuclei.flatten(), cells.flatten(), int(max(nuclei.max(), cells.max())) + 1
    with loops.bounded() as within:
        found = match_nuclei_to_cells(*arguments)
    assert within.unfinished == []
    assert torch.equal(found, match_nuclei_to_cells(*arguments))
