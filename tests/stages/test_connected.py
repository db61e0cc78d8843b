"""One connected part of each instance, against scipy: alone, compiled, and in files of both formats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from instanseg_export.metadata import LABELS, ModelMetadata, OutputFacts, SettingRow, SpecFacts
from instanseg_export.stages.connected import connected_cells, connected_labels
from instanseg_export.stages.number import number_instances
from instanseg_export.stages.parts import find_parts, largest_parts
from instanseg_export.stages.sentinels import no_owner
from instanseg_export.targets import TARGETS
from support.drawn_parts import SHAPES, broken_cells, in_one_piece, kept
from support.exported_models import OnnxModel, TorchScriptModel
from support.kept_parts import KeptParts
from support.scripted import agreed


def part(numbers: np.ndarray, min_size: int = 0) -> np.ndarray:
    """Return planes (P, H, W) without the pixels that are not in their instance's largest part."""
    cells = torch.from_numpy(np.ascontiguousarray(numbers))
    size, true = torch.tensor(min_size), torch.tensor(True)
    found: np.ndarray = agreed(
        connected_cells, torch.zeros_like(cells), cells, int(numbers.max()) + 1, size, true
    ).numpy()
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str) -> None:
    numbers = SHAPES[name]
    found = part(numbers[None])[0]
    np.testing.assert_array_equal(found, kept(numbers))
    assert in_one_piece(found)


def test_shapes_are_broken_and_whole() -> None:
    """Or the tests of this file would show nothing."""
    whole = [name for name, numbers in SHAPES.items() if in_one_piece(numbers)]
    assert 8 < len(whole) < len(SHAPES) - 8


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 99_999),
    planes=st.integers(1, 3),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    count=st.integers(0, 6),
    clumps=st.integers(1, 5),
    min_size=st.sampled_from([0, 1, 2, 9, 60]),
)
def test_random_instances(
    seed: int, planes: int, height: int, width: int, count: int, clumps: int, min_size: int
) -> None:
    rng = np.random.default_rng(seed)
    numbers = np.stack([broken_cells(rng, height, width, count, clumps)[0] for _ in range(planes)])
    # A number belongs to one plane.
    numbers = np.where(numbers > 0, numbers + (count + 1) * np.arange(planes)[:, None, None], 0)
    found = part(numbers, min_size)
    for plane, expected in zip(found, numbers, strict=True):
        np.testing.assert_array_equal(plane, kept(expected, min_size))


def test_planes_do_not_touch() -> None:
    upper, lower = np.zeros((4, 5), dtype=np.int64), np.zeros((4, 5), dtype=np.int64)
    upper[-1, 1:4] = 1
    lower[0] = 2
    found = part(np.stack([upper, lower]))
    np.testing.assert_array_equal(found, [upper, lower])


def test_rows_do_not_touch_around_the_border() -> None:
    numbers = np.zeros((3, 6), dtype=np.int64)
    numbers[0, -2:] = numbers[1, :3] = 1
    assert part(numbers[None])[0].sum() == 3


@pytest.mark.slow  # takes 2 GB
def test_more_runs_than_float32_can_count() -> None:
    """Every pixel is a run of its own, and the largest part lies where their numbers are beyond 2**24."""
    numbers = torch.zeros(1, 4200, 4100, dtype=torch.int64)
    numbers[0, :, ::2] = 1
    numbers[0, ::2] = 1 - numbers[0, ::2]
    largest = torch.tensor([[1, 1, 1], [0, 0, 1], [1, 1, 1]])
    numbers[0, -4:, -8:] = 0
    numbers[0, -3:, -7:-4] = largest
    numbers[0, -3:, -2:] = 1
    expected = torch.zeros_like(numbers, dtype=torch.bool)
    expected[0, -3:, -7:-4] = largest > 0
    runs = find_parts(numbers.to(torch.int32))
    kept = largest_parts(runs, 2).index_select(0, runs.run).view(numbers.shape)
    assert torch.equal(kept, expected)


def test_parts_are_those_of_merged_instances() -> None:
    owner = torch.tensor([0.0, 1.0, no_owner(), 0.0, 2.0, 1.0, 2.0, 2.0, no_owner(), 2.0])
    root = torch.tensor([0, 0, 2])
    # Seeds 0 and 1 are one instance: two pixels in the first row, one in each of two pieces; so is 2, in two pieces.
    for min_size, connected, expected in (
        (0, True, [1, 1, 0, 0, 2, 1, 0, 0, 0, 2]),
        (3, True, [1, 1, 0, 0, 0, 1, 0, 0, 0, 0]),
        (4, True, [0] * 10),
        (0, False, [1, 1, 0, 1, 2, 1, 2, 2, 0, 2]),
        (4, False, [1, 1, 0, 1, 2, 1, 2, 2, 0, 2]),
        (5, False, [0] * 10),
    ):
        found, first_seed = agreed(
            number_instances, owner, root, 1, 2, 5, torch.tensor(min_size), torch.tensor(connected)
        )
        assert found.tolist() == expected
        assert first_seed[1 : max(expected) + 1].tolist() == [0, 2][: max(expected)]


def expected_labels(labels: np.ndarray, matched: bool) -> np.ndarray:
    """What is left of (B, T, H, W)."""
    result = []
    for image in labels:
        nuclei = kept(image[0])
        result.append([nuclei, *(kept(cells, nuclei=nuclei if matched else None) for cells in image[1:])])
    return np.array(result)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 99_999),
    batch=st.integers(1, 3),
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    count=st.integers(0, 5),
    structures=st.integers(1, 2),
    matched=st.booleans(),
)
def test_labels_of_nuclei_and_cells(
    seed: int, batch: int, height: int, width: int, count: int, structures: int, matched: bool
) -> None:
    rng = np.random.default_rng(seed)
    labels = np.stack([broken_cells(rng, height, width, count) for _ in range(batch)])[:, :structures]
    image = torch.from_numpy(labels.astype(np.float32))
    found = agreed(connected_labels, image, torch.tensor(matched), torch.tensor(True)).numpy()
    np.testing.assert_array_equal(found, expected_labels(labels, matched))
    assert in_one_piece(found)
    if matched and structures == 2:
        nuclei, cells = found[:, 0], found[:, 1]
        np.testing.assert_array_equal(cells[nuclei > 0], nuclei[nuclei > 0])
    assert torch.equal(agreed(connected_labels, image, torch.tensor(matched), torch.tensor(False)), image)


def test_part_with_the_nucleus_stays_even_if_it_is_smaller() -> None:
    cells = torch.tensor([[[1, 1, 2, 1, 1, 1, 0, 3, 3, 2, 3]]])
    nuclei = torch.tensor([[[0, 1, 2, 0, 0, 0, 0, 0, 0, 2, 0]]])
    true, size = torch.tensor(True), torch.tensor
    # Nuclei of the number 2 cut both cells; cell 3 has no nucleus.
    found = agreed(connected_cells, nuclei, cells, 4, size(0), true)
    assert found.tolist() == [[[1, 1, 2, 0, 0, 0, 0, 3, 3, 0, 0]]]
    assert agreed(connected_cells, nuclei, cells, 4, size(2), true).tolist() == [[[1, 1, 0, 0, 0, 0, 0, 3, 3, 0, 0]]]
    assert not agreed(connected_cells, nuclei, cells, 4, size(3), true).any()
    assert torch.equal(agreed(connected_cells, nuclei, cells, 4, size(3), torch.tensor(False)), cells)


# In files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The stage as a model of its own, in every format that the product writes."""
    folder = tmp_path_factory.mktemp("kept parts")
    switches = ("connected", "matched")
    metadata = ModelMetadata(
        version="0",
        target="any",
        dimensions=2,
        spec=SpecFacts(family="instanseg", name="kept parts", structures=("nuclei", "cells"), channels=2),
        source_sha256="0" * 64,
        baked=dict.fromkeys(switches, True),
        setting_rows=tuple(SettingRow(name=name, kind="bool", help=f"Whether {name}.") for name in switches),
        outputs=(OutputFacts(name=LABELS, role="labels"),),
    )
    stage: Any = KeptParts()
    for name in ("torchscript", "onnx"):
        target = TARGETS.get(name)
        target.write(stage, metadata, folder / target.filename)
    return {
        "torchscript": TorchScriptModel(folder),
        "onnx": OnnxModel(folder),
        "onnx, two threads": OnnxModel(folder, threads=2),
        "onnx, not optimised": OnnxModel(folder, optimised=False),
    }


FILES = pytest.mark.parametrize("name", ["torchscript", "onnx", "onnx, two threads", "onnx, not optimised"])


@FILES
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_in_files(files: dict[str, Any], name: str, shape: str) -> None:
    # The cells lie turned by half: sometimes they hold the nucleus of their number, sometimes pieces of it.
    cells = SHAPES[shape]
    nuclei = cells[::-1, ::-1] * (cells[::-1, ::-1] == cells)
    labels = np.stack([nuclei, cells])[None]
    nothing = np.zeros_like(labels)
    batch = np.concatenate([labels, nothing, labels[:, :, ::-1]])
    for matched in (True, False):
        image = np.ascontiguousarray(batch.astype(np.float32))
        eager = connected_labels(torch.from_numpy(image), torch.tensor(matched), torch.tensor(True)).numpy()
        np.testing.assert_array_equal(files[name](image, matched=matched), eager)
        np.testing.assert_array_equal(files[name](image, matched=matched, connected=False), image)
    np.testing.assert_array_equal(eager, expected_labels(batch, matched=False))


@FILES
def test_random_labels_in_files(files: dict[str, Any], name: str) -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        height, width = (int(size) for size in rng.integers(1, 90, 2))
        labels = broken_cells(rng, height, width, int(rng.integers(0, 20)), int(rng.integers(1, 6)))[None]
        found = files[name](labels.astype(np.float32))
        np.testing.assert_array_equal(found, expected_labels(labels, matched=True))
