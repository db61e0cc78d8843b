"""Outlines and tables of large images, read back by libraries of others."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow.parquet
import pytest
import shapely
from shapely.geometry import shape

from instanseg_export.errors import OutputError
from instanseg_export.images.objects import measure
from instanseg_export.slides.box import Box
from instanseg_export.slides.sinks import Frame, ObjectRecord, Part, write_objects

CHANNELS = ("DAPI", "µ", "DAPI")


def _frame(shape: tuple[int, ...], **facts: Any) -> Frame:
    axes = len(shape)
    given = {"structures": ("nuclei",), "factor": (1.0,) * axes, "offset": (0.0,) * axes, "spacing": (0.5,) * axes}
    return Frame(**({"shape": shape, "identity": "abc", "source": "slide.svs", "channels": CHANNELS} | given | facts))


def _labels(shape: tuple[int, int], first: int = 1) -> np.ndarray:
    """Ellipses in a raster, the first with a hole, the second in two pieces; ids go on from the first."""
    labels = np.zeros(shape, np.int64)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for place, (row, column) in enumerate((r, c) for r in range(12, shape[0], 25) for c in range(12, shape[1], 25)):
        labels[((y - row) / 10) ** 2 + ((x - column) / (6 + place % 5)) ** 2 < 1] = first + place
    labels[10:13, 10:13] = 0
    labels[:, 36] = 0
    return labels


def _parts(labels: np.ndarray, *, masks: bool = True) -> dict[int, Part]:
    random = np.random.default_rng(3)
    image = random.normal(100, 30, (len(CHANNELS), *labels.shape))
    image[2, :20] = np.nan
    found = measure(labels, image)
    parts = {}
    for row, label in enumerate(found.labels):
        box = Box(tuple(found.low[row].tolist()), tuple(found.high[row].tolist()))
        parts[int(label)] = Part(
            box,
            int(found.sizes[row]),
            tuple(found.centroids[row].tolist()),
            tuple(found.means[row].tolist()),
            labels[box.slices] == label if masks else None,
        )
    return parts


def _records(labels: Sequence[np.ndarray], **facts: Any) -> list[ObjectRecord]:
    parts = [_parts(one) for one in labels]
    ids = sorted(set().union(*parts))
    return [ObjectRecord(label, tuple(one.get(label) for one in parts), **facts) for label in ids]


def _features(folder: Path) -> list[dict[str, Any]]:
    content = json.loads((folder / "objects.geojson").read_text("utf-8"))
    assert content["type"] == "FeatureCollection"
    return list(content["features"])


def _rows(folder: Path) -> list[dict[str, Any]]:
    return list(pyarrow.parquet.read_table(folder / "objects.parquet").to_pylist())


def _inside(found: Any, shape_: tuple[int, int], factor: float, offset: tuple[float, float]) -> np.ndarray:
    """Pixels of the plane whose centres lie in an outline of the slide."""
    y, x = np.mgrid[: shape_[0], : shape_[1]] + 0.5
    return np.asarray(shapely.contains_xy(found, x * factor + offset[1], y * factor + offset[0]))


@pytest.mark.parametrize(
    ("factor", "offset"), [(1.0, (0.0, 0.0)), (1.0, (70_000.0, 30.0)), (1.9873, (100.5, 7.25)), (0.37, (12.0, 9.0))]
)
def test_outlines_lie_where_objects_do_in_the_slide(tmp_path: Path, factor: float, offset: tuple[float, float]) -> None:
    labels = _labels((101, 88), first=70_000)
    frame = _frame(labels.shape, factor=(factor, factor), offset=offset)
    written = write_objects(tmp_path, _records([labels]), frame)
    ids = np.unique(labels)[1:]
    assert (written.objects, written.counts) == (ids.size, (ids.size,))
    features, rows = _features(tmp_path), _rows(tmp_path)
    assert [row["label"] for row in rows] == ids.tolist()
    for feature, row in zip(features, rows, strict=True):
        label = row["label"]
        assert feature["properties"]["measurements"]["label"] == label
        outline, same = shape(feature["geometry"]), shapely.from_wkb(row["geometry"])
        assert outline.is_valid
        assert outline.equals_exact(same)
        pixels = labels == label
        np.testing.assert_array_equal(_inside(outline, labels.shape, factor, offset), pixels)
        assert outline.area == pytest.approx(pixels.sum() * factor**2, rel=0.02)
        numbers = shapely.get_coordinates(outline)
        np.testing.assert_array_equal(numbers, numbers.round(2))
        assert tuple(row["bbox"].values()) == outline.bounds
        assert (row["box_x"], row["box_y"]) == pytest.approx(outline.bounds[:2], abs=0.01)
        assert (row["box_x"] + row["box_width"], row["box_y"] + row["box_height"]) == pytest.approx(
            outline.bounds[2:], abs=0.01
        )
    if factor == 1:
        text = (tmp_path / "objects.geojson").read_text("utf-8")
        assert not any("." in line.split('"properties"')[0] for line in text.splitlines()), "whole numbers"


def test_the_table_says_where_in_pixels_and_micrometres(tmp_path: Path) -> None:
    labels = _labels((60, 60))
    frame = _frame(labels.shape, factor=(2.0, 2.0), offset=(100.0, 40.0), spacing=(0.5, 0.5))
    records = _records([labels])
    write_objects(tmp_path, records, frame)
    for row, record in zip(_rows(tmp_path), records, strict=True):
        (part,) = record.parts
        assert part is not None
        y, x = part.centroid
        assert (row["centroid_x_px"], row["centroid_y_px"]) == pytest.approx((2 * x + 40, 2 * y + 100))
        assert (row["centroid_x_um"], row["centroid_y_um"]) == pytest.approx((0.5 * x + 10, 0.5 * y + 25))
        assert (row["area_px"], row["area_um2"]) == (part.size * 4, part.size * 0.25)
        assert (row["box_x_um"], row["box_height_um"]) == (part.box.low[1] * 0.5 + 10, part.box.shape[0] * 0.5)
        assert row["mean: DAPI"] == pytest.approx(part.means[0])
        third = row["mean: DAPI (3)"]  # where no pixel is a number, there is no mean
        assert third == pytest.approx(part.means[2]) if not math.isnan(part.means[2]) else third is None


def test_without_a_pixel_size_nothing_is_in_micrometres(tmp_path: Path) -> None:
    labels = _labels((60, 60))
    write_objects(tmp_path, _records([labels]), _frame(labels.shape, spacing=None))
    assert not any("um" in name for name in _rows(tmp_path)[0])
    assert not any("um2" in name for name in _features(tmp_path)[0]["properties"]["measurements"])


def _cells() -> tuple[np.ndarray, np.ndarray]:
    """Nuclei and their cells; one nucleus has no cell, and one cell no nucleus."""
    cells = _labels((80, 80))
    nuclei = np.where(np.roll(cells, 2, 0) == cells, cells, 0)
    nuclei[nuclei == 3] = 0
    cells[cells == 5] = 0
    return nuclei, cells


def test_a_nucleus_and_its_cell_are_one_cell_of_qupath_and_two_rows_that_name_each_other(tmp_path: Path) -> None:
    nuclei, cells = _cells()
    frame = _frame(
        nuclei.shape, structures=("nuclei", "cells"), paired=True, classes=("stroma", "tumour"),
        columns={"score": float, "kind": str},
    )  # fmt: skip
    records = [
        ObjectRecord(
            one.label, one.parts, one.label % 3, {"score": one.label / 2, "kind": "k"} if one.label > 1 else {}
        )
        for one in _records([nuclei, cells])
    ]
    written = write_objects(tmp_path, records, frame)
    both = set(np.unique(nuclei)) | set(np.unique(cells)) - {0}
    assert written.objects == len(both - {0})
    assert written.counts == (len(np.unique(nuclei)) - 1, len(np.unique(cells)) - 1)
    for feature in _features(tmp_path):
        properties = feature["properties"]
        measured = properties["measurements"]
        label = measured["label"]
        if label == 5:
            assert (properties["objectType"], measured["area_px"]) == ("detection", (nuclei == 5).sum())
            continue
        assert properties["objectType"] == "cell"
        assert shape(feature["geometry"]).area == measured["cell area_px"] == (cells == label).sum()
        assert ("nucleusGeometry" in feature) == (label != 3)
        if label != 3:
            assert shape(feature["nucleusGeometry"]).area == measured["nucleus area_px"] == (nuclei == label).sum()
        name = {0: "stroma", 1: "tumour"}.get(label % 3)
        assert properties.get("classification", {}).get("name") == name
        assert measured.get("cell score") == (None if label == 1 else label / 2)
    for row in _rows(tmp_path):
        labels, other = (nuclei, cells) if row["structure"] == "nuclei" else (cells, nuclei)
        label = row["label"]
        assert row["area_px"] == (labels == label).sum()
        assert row["pair"] == (label if (other == label).any() else None)
        assert row["class"] == {0: "stroma", 1: "tumour"}.get(label % 3)
        assert (row["score"], row["kind"]) == ((None, None) if label == 1 else (label / 2, "k"))


def test_structures_that_are_not_paired_have_objects_of_their_own(tmp_path: Path) -> None:
    one, two = _labels((60, 60)), np.roll(_labels((60, 60)), 3, 1)
    records = [
        ObjectRecord(label, (part, None) if structure == 0 else (None, part))
        for structure, labels in enumerate((one, two))
        for label, part in _parts(labels).items()
    ]
    written = write_objects(tmp_path, records, _frame(one.shape, structures=("nuclei", "cells")))
    assert written.objects == sum(written.counts) == len(records)
    features = _features(tmp_path)
    assert {feature["properties"]["objectType"] for feature in features} == {"detection"}
    assert len({UUID(feature["id"]) for feature in features}) == len(records)
    assert [row["structure"] for row in _rows(tmp_path)] == ["nuclei"] * written.counts[0] + ["cells"] * written.counts[
        1
    ]
    assert "pair" not in _rows(tmp_path)[0]


def test_ids_of_features_follow_from_image_and_model(tmp_path: Path) -> None:
    labels = _labels((60, 60))
    for name, identity in (("a", "x"), ("b", "x"), ("c", "y")):
        write_objects(tmp_path / name, _records([labels]), _frame(labels.shape, identity=identity))
    assert (tmp_path / "a/objects.geojson").read_bytes() == (tmp_path / "b/objects.geojson").read_bytes()
    assert (tmp_path / "a/objects.parquet").read_bytes() == (tmp_path / "b/objects.parquet").read_bytes()
    one, other = ({feature["id"] for feature in _features(tmp_path / name)} for name in "ac")
    assert not one & other


def test_the_file_says_that_it_is_geoparquet(tmp_path: Path) -> None:
    labels = _labels((60, 60))
    write_objects(tmp_path, _records([labels]), _frame(labels.shape, columns={"geometry": float}))
    metadata = pyarrow.parquet.read_metadata(tmp_path / "objects.parquet").metadata
    geo = json.loads(metadata[b"geo"])
    column = geo["columns"][geo["primary_column"]]
    assert (geo["version"], geo["primary_column"], column["encoding"]) == ("1.1.0", "geometry", "WKB")
    assert column["crs"] is None, "missing would mean longitude and latitude"
    outlines = [shapely.from_wkb(row["geometry"]) for row in _rows(tmp_path)]
    assert {one.geom_type for one in outlines} == set(column["geometry_types"])
    assert column["bbox"] == shapely.total_bounds(outlines).tolist()
    for one in outlines:
        assert all(part.exterior.is_ccw for part in getattr(one, "geoms", [one])), column["orientation"]
    # What a reader that looks at the boxes alone would pick.
    box = column["covering"]["bbox"]
    part = pyarrow.parquet.read_table(tmp_path / "objects.parquet", filters=(pyarrow.compute.field(*box["xmin"]) < 20))
    assert 0 < part.num_rows < len(outlines)


@pytest.mark.parametrize("shape_", [(60, 60), (9, 60, 60)])
def test_nothing_found_is_an_empty_collection_and_a_table_without_rows(tmp_path: Path, shape_: tuple[int, ...]) -> None:
    kinds = ["geojson", "parquet"] if len(shape_) == 2 else ["parquet"]
    frame = _frame(shape_, classes=("a",), columns={"kind": str})
    written = write_objects(tmp_path, [], frame, kinds=kinds)
    assert (written.objects, written.counts) == (0, (0,))
    table = pyarrow.parquet.read_table(tmp_path / "objects.parquet")
    assert table.num_rows == 0
    assert {"label", "structure", "class", "kind", "mean: µ"} <= set(table.column_names)
    if len(shape_) == 2:
        assert _features(tmp_path) == []
        geo = json.loads(pyarrow.parquet.read_metadata(tmp_path / "objects.parquet").metadata[b"geo"])
        assert "bbox" not in geo["columns"]["geometry"]


def test_objects_of_volumes_have_a_table_and_no_outlines(tmp_path: Path) -> None:
    labels = np.zeros((12, 30, 40), np.int64)
    labels[2:5, 3:9, 4:20], labels[6:12, 10:20, 5:7] = 1, 2
    records = [ObjectRecord(label, (part,)) for label, part in _parts(labels, masks=False).items()]
    frame = _frame(labels.shape, spacing=(2.0, 0.5, 0.5), offset=(3.0, 10.0, 20.0))
    with pytest.raises(OutputError, match="volume"):
        write_objects(tmp_path, records, frame)
    assert list(tmp_path.iterdir()) == []
    written = write_objects(tmp_path, records, frame, kinds=["parquet"])
    first, second = _rows(tmp_path)
    assert written.counts == (2,)
    assert first["volume_voxels"] == 3 * 6 * 16
    assert first["volume_um3"] == 3 * 6 * 16 * 0.5
    assert (second["centroid_z_px"], second["centroid_x_px"]) == (3 + 9, 20 + 6)
    assert (second["box_z_um"], second["box_depth"], second["box_depth_um"]) == (18, 6, 12)
    assert "geometry" not in first
    assert b"geo" not in (pyarrow.parquet.read_metadata(tmp_path / "objects.parquet").metadata or {})


def test_what_is_there_is_not_replaced_and_nothing_half_written_stays(tmp_path: Path) -> None:
    labels = _labels((60, 60))
    records = _records([labels])

    def broken() -> Iterator[ObjectRecord]:
        yield from records
        raise OutputError("The tiles are gone.", hint="Run again.")

    with pytest.raises(OutputError, match="tiles are gone"):
        write_objects(tmp_path, broken(), _frame(labels.shape))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "objects.parquet").write_text("mine")
    with pytest.raises(OutputError, match=r"objects\.parquet exists already"):
        write_objects(tmp_path, records, _frame(labels.shape))
    assert [path.name for path in tmp_path.iterdir()] == ["objects.parquet"]
    assert (tmp_path / "objects.parquet").read_text() == "mine"
    with pytest.raises(OutputError, match="'svg'"):
        write_objects(tmp_path, records, _frame(labels.shape), kinds=["svg"])


def test_progress_counts_objects(tmp_path: Path) -> None:
    labels = _labels((60, 60))
    part = next(iter(_parts(labels).values()))
    told: list[tuple[int, int]] = []
    records = (ObjectRecord(label, (part,)) for label in range(1, 2501))
    written = write_objects(
        tmp_path, records, _frame(labels.shape), kinds=[], total=2500,
        progress=lambda what, done, total: told.append((done, total)),
    )  # fmt: skip
    assert told == [(1024, 2500), (2048, 2500), (2500, 2500)]
    assert written.density.counts.sum() == 2500
    assert list(tmp_path.iterdir()) == []


MANY = """
import resource, sys
from pathlib import Path
import numpy as np
from instanseg_export.slides.box import Box
from instanseg_export.slides.sinks import Frame, ObjectRecord, Part, write_objects
y, x = np.mgrid[:31, :31] - 15
mask = x * x + y * y < 200
def records(count):
    for label in range(1, count + 1):
        low = (label // 500 * 32, label % 500 * 32)
        yield ObjectRecord(label, (Part(Box(low, (low[0] + 31, low[1] + 31)), int(mask.sum()), low, (1.0,), mask),))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
frame = Frame((16384, 16384), ("nuclei",), "a", "b", (1, 1), (0, 0), (0.5, 0.5), ("DAPI",))
write_objects(Path(sys.argv[1]) / "few", records(20_000), frame)
few = peak()
write_objects(Path(sys.argv[1]) / "many", records(100_000), frame)
print(few, peak())
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the unit of ru_maxrss")
def test_memory_does_not_grow_with_the_number_of_objects(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", MANY, tmp_path], capture_output=True, text=True, check=True)
    few, many = map(int, done.stdout.split())
    assert many - few < 60, "MiB"
    assert len(_features(tmp_path / "many")) == 100_000


FULL = """
import sys
from pathlib import Path
import numpy as np
from instanseg_export.errors import OutputError
from instanseg_export.slides.box import Box
from instanseg_export.slides.sinks import Frame, ObjectRecord, Part, write_label_zarr, write_objects
disk = Path(sys.argv[1])
random = np.random.default_rng(0)
frame = Frame((2000, 2000), ("nuclei",), "a", "b", (1, 1), (0, 0))
def window(box):
    return random.integers(0, 2**32, (1, *box.shape), dtype=np.uint32)
def records():
    for label in range(1, 20_000):
        yield ObjectRecord(label, (Part(Box((0, 0), (9, 9)), 40, (4, 4), (), random.random((9, 9)) < 0.5),))
for write in (
    lambda: write_label_zarr(disk / "labels.zarr", window, frame),
    lambda: write_objects(disk, records(), frame),
):
    try:
        write()
    except OutputError as error:
        print(error.message, "|", sorted(path.name for path in disk.iterdir()))
"""


def test_a_full_disk_is_called_one_and_nothing_stays(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    unshare = ("unshare", "--user", "--map-root-user", "--mount")
    mount = f"mount -t tmpfs -o size=300k tmpfs {disk}"
    probe = shutil.which("unshare") and subprocess.run([*unshare, "sh", "-c", mount], capture_output=True, check=False)
    if not probe or probe.returncode:
        pytest.skip("needs unshare and the right to mount a small disk")
    done = subprocess.run(
        [*unshare, "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-c", FULL, disk],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    labels, objects = done.stdout.splitlines()
    assert labels == f"The disk is full: {disk}/labels.zarr was not written. | []"
    assert objects.startswith(f"The disk is full: {disk}/objects.")
    assert objects.endswith("was not written. | []")
