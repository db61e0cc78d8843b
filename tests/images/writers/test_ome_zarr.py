"""Label pyramids, read back by zarr and by OME-Zarr's own readers and validators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Label, Reader
from ome_zarr_models import open_ome_zarr
from ome_zarr_models.v05.labels import Labels

from instanseg_export.errors import OutputError
from instanseg_export.images.writers import LabelGrid, write_label_pyramid

Window = Callable[[tuple[slice, ...]], np.ndarray]


def _labels(structures: int, shape: tuple[int, ...], largest: int = 90_000) -> np.ndarray:
    """Blocks of ids, with background between some of them, that differ from one structure to the next."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, largest, (structures, *(size // 9 + 1 for size in shape)))
    coarse[coarse % 3 == 0] = 0
    coarse.reshape(structures, -1)[:, -1] = largest
    for axis in range(1, coarse.ndim):
        coarse = np.repeat(coarse, 9, axis)
    return coarse[(slice(None), *(slice(0, size) for size in shape))].astype(np.uint32)


def _window(labels: np.ndarray, asked: list[tuple[slice, ...]] | None = None) -> Window:
    def window(part: tuple[slice, ...]) -> np.ndarray:
        if asked is not None:
            asked.append(part)
        return labels[(slice(None), *part)]

    return window


def _grid(shape: tuple[int, ...], scale: tuple[float, ...] | None = None, **more: object) -> LabelGrid:
    axes = len(shape)
    facts: dict[str, object] = {"translation": (0.0,) * axes, "unit": "micrometer"}
    return LabelGrid(shape=shape, scale=scale or (0.5,) * axes, **(facts | more))  # type: ignore[arg-type]


def _levels(folder: Path) -> list[np.ndarray]:
    group = zarr.open_group(folder, mode="r")
    assert len({array.dtype for _, array in group.arrays()}) == 1
    return [np.asarray(group[str(place)][...]) for place in range(len(list(group.arrays())))]  # type: ignore[index]


@pytest.mark.parametrize("structures", [1, 2])
@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (513, 5), (1201, 1303), (1, 3, 5), (21, 130, 1029)])
def test_labels_come_back_at_every_level(tmp_path: Path, structures: int, shape: tuple[int, ...]) -> None:
    labels = _labels(structures, shape)
    assert labels.max() > 65_535
    names = ["nuclei", "cells"][:structures]
    write_label_pyramid(tmp_path / "labels.zarr", _window(labels), _grid(shape), names)
    opened = open_ome_zarr(tmp_path / "labels.zarr", version="0.5")
    assert isinstance(opened, Labels)
    assert opened.label_paths == names
    for name, expected in zip(names, labels, strict=True):
        levels = _levels(tmp_path / "labels.zarr" / name)
        assert levels[0].dtype == np.uint32
        assert max(levels[-1].shape[-2:]) <= 512
        assert len(levels) == 1 or max(levels[-2].shape[-2:]) > 512
        for level, level_labels in enumerate(levels):
            step = tuple(slice(None, None, 2**level if size > 1 else 1) for size in shape)
            np.testing.assert_array_equal(level_labels, expected[step])


def test_napari_sees_a_layer_of_labels_for_each_structure(tmp_path: Path) -> None:
    shape = (600, 700)
    labels = _labels(2, shape)
    grid = _grid(shape, translation=(40.0, 0.25))
    write_label_pyramid(tmp_path / "labels.zarr", _window(labels), grid, ["nuclei", "cells"])
    location = parse_url(tmp_path / "labels.zarr")
    assert location is not None
    root, *nodes = Reader(location)()  # what napari's plugin reads with
    assert not root.data
    assert [node.metadata["name"] for node in nodes] == ["nuclei", "cells"]
    for node, expected in zip(nodes, labels, strict=True):
        assert node.load(Label) is not None
        assert [axis["name"] for axis in node.metadata["axes"]] == ["y", "x"]
        np.testing.assert_array_equal(node.data[0].compute(), expected)
        first, second = node.metadata["coordinateTransformations"]
        assert first == [{"type": "scale", "scale": [0.5, 0.5]}, {"type": "translation", "translation": [40.0, 0.25]}]
        assert second == [{"type": "scale", "scale": [1.0, 1.0]}, first[1]]


def test_each_shard_is_asked_for_and_written_once(tmp_path: Path) -> None:
    """Two writers of one shard would lose pixels; and what is empty takes no file."""
    shape = (4099, 8200)
    labels = np.zeros((1, *shape), np.uint32)
    labels[0, 4090:, 4000:4200] = 7
    asked: list[tuple[slice, ...]] = []
    told: list[tuple[int, int]] = []
    write_label_pyramid(
        tmp_path / "a", _window(labels, asked), _grid(shape), ["nuclei"],
        progress=lambda what, done, total: told.append((done, total)),
    )  # fmt: skip
    corners = [tuple(axis.start for axis in part) for part in asked]
    assert corners == [(0, 0), (0, 4096), (0, 8192), (4096, 0), (4096, 4096), (4096, 8192)]
    seen = np.zeros(shape, np.uint8)
    for part in asked:
        seen[part] += 1
    assert (seen == 1).all()
    assert told == [(done, told[-1][1]) for done in range(1, told[-1][1] + 1)]
    files = {path.relative_to(tmp_path / "a/nuclei/0/c").as_posix() for path in (tmp_path / "a/nuclei/0/c").rglob("*")}
    assert files == {"0", "1", "0/0", "0/1", "1/0", "1/1"}
    for level, found in enumerate(_levels(tmp_path / "a/nuclei")):
        np.testing.assert_array_equal(found, labels[0, :: 2**level, :: 2**level])


def test_slices_that_lie_far_apart_are_kept_until_pixels_do_too(tmp_path: Path) -> None:
    shape = (8, 1100, 40)
    labels = _labels(1, shape)
    write_label_pyramid(tmp_path / "a", _window(labels), _grid(shape, (1.0, 0.5, 0.5)), ["nuclei"])
    first, second, third = _levels(tmp_path / "a/nuclei")
    assert (first.shape, second.shape, third.shape) == (shape, (8, 550, 20), (4, 275, 10))
    np.testing.assert_array_equal(third, labels[0, ::2, ::4, ::4])


def test_names_of_structures_cannot_lead_elsewhere(tmp_path: Path) -> None:
    labels = _labels(4, (20, 20))
    names = ["../../out", "nuclei (DAPI)", "nuclei_DAPI", "µ/"]
    write_label_pyramid(tmp_path / "in/labels.zarr", _window(labels), _grid((20, 20)), names)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    opened = open_ome_zarr(tmp_path / "in/labels.zarr", version="0.5")
    assert isinstance(opened, Labels)
    assert len(set(opened.label_paths)) == 4
    for group, expected in zip(opened.label_paths, labels, strict=True):
        np.testing.assert_array_equal(_levels(tmp_path / "in/labels.zarr" / group)[0], expected)


@pytest.mark.parametrize("wrong", [-1, 2**32])
def test_ids_that_do_not_fit_are_refused(tmp_path: Path, wrong: int) -> None:
    labels = np.full((1, 9, 9), wrong, np.int64)
    with pytest.raises(OutputError, match=str(wrong)):
        write_label_pyramid(tmp_path / "a", _window(labels), _grid((9, 9)), ["nuclei"])


def test_the_largest_id_fits(tmp_path: Path) -> None:
    labels = np.full((1, 9, 9), 2**32 - 1, np.int64)
    write_label_pyramid(tmp_path / "a", _window(labels), _grid((9, 9)), ["nuclei"])
    np.testing.assert_array_equal(_levels(tmp_path / "a/nuclei")[0], labels[0])
