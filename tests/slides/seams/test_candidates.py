"""The objects of one tile, and their file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instanseg_export.errors import InstansegExportError, OutputError, PackageError
from instanseg_export.slides.box import Box, Tile
from instanseg_export.slides.engine.tile_files import TileFiles
from instanseg_export.slides.seams.candidates import find_candidates
from instanseg_export.slides.seams.decide import decide
from instanseg_export.slides.seams.objects import inner_box
from instanseg_export.slides.tile_file import TileResults, load_labels, load_objects, save_tile
from support.planted_shapes import Labels, Planted, planes

TILE = Tile(4, Box((10, 10), (20, 20)), Box((7, 7), (23, 23)))
PLANE = (30, 30)


def _labels() -> Labels:
    labels = np.zeros((1, 16, 16), dtype=np.int32)
    labels[0, 0:4, 5:8] = 2  # touches the upper edge
    labels[0, 7:9, 7:10] = 5  # in the middle
    return labels


def test_a_row_says_where_its_object_lies_in_the_plane() -> None:
    pixels = np.arange(16 * 16, dtype=np.uint16).reshape(1, 16, 16)
    found = find_candidates(TILE, _labels(), pixels, {"score": np.arange(5) / 10}, plane=PLANE, halo=3)
    assert found.label.tolist() == [2, 5]
    assert found.area.tolist() == [12, 6]
    assert found.first.tolist() == [7 * 30 + 12, 14 * 30 + 14]
    assert found.centroid.tolist() == [[9.0, 13.5], [15.0, 15.5]]
    assert found.depth.tolist() == [-1.0, 4.5]
    assert found.cut.tolist() == [True, False]
    assert found.low[:, 0].tolist() == [[7, 12], [14, 14]]
    assert found.high[:, 0].tolist() == [[11, 15], [16, 17]]
    assert found.means[:, 0, 0].tolist() == [16 * 1.5 + 6, 16 * 7.5 + 8]
    assert found.rows["score"].tolist() == [0.1, 0.4]
    assert set(found.runs[0].row.tolist()) == {0}  # the other lies where no other tile sees


def test_edges_of_the_plane_cut_nothing() -> None:
    tile = Tile(0, Box((0, 0), (10, 10)), Box((0, 0), (13, 13)))
    labels = np.zeros((1, 13, 13), dtype=np.int32)
    labels[0, 0:3, 0:13] = 1
    labels[0, 4:6, 0:4] = 2
    found = find_candidates(tile, labels, plane=PLANE, halo=3)
    assert found.cut.tolist() == [True, False]
    alone = Tile(0, Box.of((13, 13)), Box.of((13, 13)))
    found = find_candidates(alone, labels, plane=(13, 13), halo=3)
    assert found.cut.tolist() == [False, False]
    assert np.isinf(found.depth).all()
    assert len(found.runs[0]) == 0


def test_a_pair_is_one_row_whose_footprint_is_both() -> None:
    labels = np.zeros((2, 16, 16), dtype=np.int32)
    labels[1, 2:10, 2:10] = 3
    labels[0, 4:6, 4:6] = 3
    labels[0, 9:11, 9:11] = 7  # a nucleus that begins in the other cell and has none of its own
    found = find_candidates(TILE, labels, plane=PLANE, halo=3, paired=True)
    assert found.label.tolist() == [3, 7]
    assert found.sizes.tolist() == [[4, 64], [4, 0]]
    assert found.area.tolist() == [64, 4]
    assert found.centroid.tolist() == [[13.0, 13.0], [17.0, 17.0]]
    assert np.isnan(found.centroids[1, 1]).all()
    assert found.boxes[0].tolist() == [[9, 9], [16, 16]]
    assert found.boxes[1].tolist() == [[17, 17], [18, 18]]


@settings(max_examples=40, deadline=None)
@given(planes())
def test_runs_are_the_pixels_of_objects_that_others_may_see(plane: Planted) -> None:
    for tile in plane.grid.tiles:
        labels = plane.exact(tile)
        found = plane.found(tile, labels)
        drawn = np.zeros((len(found), np.prod(plane.grid.shape, dtype=int)), dtype=np.int8)
        for runs in found.runs:
            for start, stop, row in zip(runs.start, runs.stop, runs.row, strict=True):
                drawn[row, start:stop] += 1
        seen_by_others = np.zeros(plane.grid.shape, dtype=bool)
        for other in plane.grid.tiles:
            if other.index != tile.index:
                seen_by_others[other.seen.slices] = True
        for row in range(len(found)):
            whole = np.zeros(plane.grid.shape, dtype=bool)
            mine = labels == found.label[row]
            whole[tile.seen.slices] = mine.any(axis=0) if plane.paired else mine[found.structure[row]]
            assert found.area[row] == whole.sum()
            assert found.first[row] == np.flatnonzero(whole)[0]
            if (whole & seen_by_others).any():
                assert (drawn[row] == whole.ravel()).all()
            else:
                assert not drawn[row].any() or not inner_box(tile, plane.grid.shape, plane.grid.halo).size


def test_results_that_do_not_fit_are_refused() -> None:
    with pytest.raises(PackageError, match=r"\(16, 15\) pixels for a tile of \(16, 16\)"):
        find_candidates(TILE, _labels()[:, :, :15], plane=PLANE, halo=3)
    with pytest.raises(PackageError, match="4 rows of classes for 5 objects"):
        find_candidates(TILE, _labels(), rows={"classes": np.zeros(4)}, plane=PLANE, halo=3)


@settings(max_examples=10, deadline=None)
@given(planes())
def test_a_file_holds_all_of_it_and_the_same_bytes_again(
    tmp_path_factory: pytest.TempPathFactory, plane: Planted
) -> None:
    files = TileFiles(tmp_path_factory.mktemp("tiles"))
    results = TileResults(files.path, keep=1000)
    tables = []
    for tile in plane.grid.tiles:
        labels = plane.exact(tile)
        rows = {"classes": np.arange(int(labels.max(initial=0))), "logits": np.ones((labels.size, 3), np.float32)}
        objects = plane.found(tile, labels, rows=rows, pixels=labels.astype(np.float32))
        first, second = (files.folder / name for name in ("first", "second"))
        for path in (first, second, files.path(tile.index)):
            save_tile(path, objects, labels)
        assert second.read_bytes() == first.read_bytes()
        first.unlink()
        second.unlink()
        tables.append(objects)
    assert sorted(files.finished()) == [tile.index for tile in plane.grid.tiles]
    assert len(list(files.path(0).parent.iterdir())) == len(tables)
    for tile, objects in zip(plane.grid.tiles, tables, strict=True):
        again = results.objects(tile.index)
        assert (results.labels(tile) == plane.exact(tile)).all()
        assert (again.tile, again.plane, again.halo) == (objects.tile, objects.plane, objects.halo)
        assert (again.structures, again.paired) == (objects.structures, objects.paired)
        for name in ("label", "structure", "area", "first", "depth", "cut", "sizes", "low", "high", "means"):
            assert np.array_equal(getattr(again, name), getattr(objects, name), equal_nan=name == "means"), name
        for name, values in objects.rows.items():
            assert np.array_equal(again.rows[name], values)
    read, made = decide(map(results.objects, sorted(files.finished())), plane.grid), decide(tables, plane.grid)
    assert read.id.tobytes() == made.id.tobytes()
    assert read.counts == made.counts


@pytest.fixture
def tile_file(tmp_path: Path) -> Path:
    path = tmp_path / "00000004.npz"
    save_tile(path, find_candidates(TILE, _labels(), plane=PLANE, halo=3), _labels())
    return path


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_is_an_error_of_ours_or_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "00000004.npz"
    save_tile(path, find_candidates(TILE, _labels(), plane=PLANE, halo=3), _labels())
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    told = ""
    try:
        load_objects(path)
        labels = load_labels(path, TILE)
    except InstansegExportError as error:
        told = f"{error} {error.hint}"
    if told:
        assert str(path) in told
    else:  # a byte that nobody reads, such as a date
        assert (labels == _labels()).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("area", np.zeros(3, dtype=np.int64)),
        ("sizes", np.zeros((2, 2), dtype=np.int64)),
        ("means", np.zeros(2)),
        ("row", np.array([9, 9, 9, 9], dtype=np.int32)),
        ("step", np.zeros(1, dtype=np.int64)),
        ("length", np.zeros(4, dtype=np.int32)),
        ("layers", np.array(7)),
        ("layer", np.array([1, 0, 0, 0])),
        ("tile", np.array([4, 3, 1])),
        ("depth", None),
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused(tile_file: Path, name: str, value: np.ndarray | None) -> None:
    with np.load(tile_file) as content:
        arrays = {key: content[key] for key in content.files}
    if value is None:
        del arrays[name]
    else:
        arrays[name] = value
    np.savez(tile_file, **arrays)
    with pytest.raises(OutputError, match="do not fit each other"):
        load_objects(tile_file)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shape", np.array([1, 17, 16])),
        ("shape", np.array([1 << 40, *TILE.seen.shape])),
        ("shape", np.array([0])),
        ("step", np.array([-1, 5])),
        ("step", np.zeros(0, dtype=np.int64)),
        ("length", np.array([1 << 40] * 4)),
        ("label", np.array([1, 2])),
        ("label", None),
    ],
)
def test_label_maps_whose_parts_do_not_fit_are_refused(tile_file: Path, name: str, value: np.ndarray | None) -> None:
    with np.load(tile_file) as content:
        arrays = {key: content[key] for key in content.files if key != f"map.{name}" or value is not None}
    np.savez(tile_file, **(arrays if value is None else arrays | {f"map.{name}": value}))
    with pytest.raises(OutputError, match="no label maps of its tile"):
        load_labels(tile_file, TILE)


def test_a_pickle_is_not_opened(tile_file: Path) -> None:
    with zipfile.ZipFile(tile_file, "a") as archive, archive.open("rows.more.npy", "w") as stream:
        np.lib.format.write_array(stream, np.array([{}]), allow_pickle=True)
    with pytest.raises(OutputError, match="damaged"):
        load_objects(tile_file)


def test_label_maps_of_another_tile_are_refused(tile_file: Path) -> None:
    other = Tile(4, TILE.core, Box((7, 7), (23, 22)))
    with pytest.raises(OutputError, match="no label maps of its tile"):
        load_labels(tile_file, other)
    with pytest.raises(OutputError, match="no file"):
        load_objects(tile_file.with_name("00000005.npz"))
