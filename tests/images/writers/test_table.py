"""Measurements of objects against scikit-image's, and the tables of them."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import shapely
from skimage.measure import regionprops_table

from instanseg_export.errors import OutputError
from instanseg_export.images.objects import Measured, measure, measure_masks
from instanseg_export.images.writers import Scale, object_columns, write_table


def _case(shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 9, shape) * 3
    return labels.astype(np.int64), random.normal(100, 30, (2, *shape)).astype(np.float32)


def _check(found: Measured, labels: np.ndarray, image: np.ndarray) -> None:
    axes = labels.ndim
    table = regionprops_table(
        labels,
        np.moveaxis(image, 0, -1).astype(np.float64),
        properties=("label", "area", "centroid", "bbox", "intensity_mean"),
    )
    np.testing.assert_array_equal(found.labels, table["label"])
    np.testing.assert_array_equal(found.sizes, table["area"])
    for axis in range(axes):
        np.testing.assert_allclose(found.centroids[:, axis], table[f"centroid-{axis}"] + 0.5, rtol=1e-12)
        np.testing.assert_array_equal(found.low[:, axis], table[f"bbox-{axis}"])
        np.testing.assert_array_equal(found.high[:, axis], table[f"bbox-{axis + axes}"])
    for channel in range(image.shape[0]):
        np.testing.assert_allclose(found.means[:, channel], table[f"intensity_mean-{channel}"], rtol=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (37, 53), (3000, 2000), (5, 12, 13)])
def test_measurements_are_those_of_scikit_image(shape: tuple[int, ...]) -> None:
    labels, image = _case(shape)
    _check(measure(labels, image), labels, image)


def test_masks_that_do_not_overlap_measure_as_their_label_map() -> None:
    labels = np.zeros((20, 30), np.int64)
    labels[2:8, 3:9], labels[10:19, 12:30] = 1, 2
    image = _case((20, 30))[1]
    masks = np.stack([labels == 1, labels == 2, labels == 3]).astype(np.uint8)
    _check(measure_masks(masks, image), labels, image)


def test_pixels_that_are_no_numbers_do_not_count() -> None:
    labels = np.repeat([[1, 2, 0]], 4, axis=0)
    image = np.full((1, 4, 3), 5.0)
    image[0, :2, 0], image[0, :, 1] = np.nan, np.inf
    for found in (measure(labels, image), measure_masks(np.stack([labels == 1, labels == 2]), image)):
        np.testing.assert_array_equal(found.means[:, 0], [5.0, np.nan])


def _columns() -> dict[str, np.ndarray]:
    nuclei, cells = np.zeros((2, 10, 12), np.int64)
    nuclei[1:3, 2:4] = 1
    cells[0:4, 1:5], cells[6:8, 6:12] = 1, 2
    image = np.stack([np.full((10, 12), 3.0), np.arange(120.0).reshape(10, 12)])
    measured = [("nuclei", measure(nuclei, image)), ("cells", measure(cells, image))]
    rows = {
        "detection_logits: a": np.array([[0.25, -1.5]], np.float32)[0],
        "detection_classes: class": np.array(["b", ""], object),
    }
    return object_columns(measured, ["DAPI", "DAPI"], Scale((0.5, 0.25), (100, 200)), paired=True, rows=rows)


EXPECTED = [
    "label,structure,pair,area_px,area_um2,centroid_x_px,centroid_y_px,centroid_x_um,centroid_y_um,box_x,box_y,box_width,"
    "box_height,mean: DAPI,mean: DAPI (2),detection_logits: a,detection_classes: class",
    "1,nuclei,1,4,0.5,203,102,50.75,51,202,101,2,2,3,20.5,0.25,b",
    "1,cells,1,16,2,203,102,50.75,51,201,100,4,4,3,20.5,0.25,b",
    "2,cells,,12,1.5,209,107,52.25,53.5,206,106,6,2,3,86.5,-1.5,",
]


def test_a_row_for_each_object_in_csv_and_parquet(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv", _columns())
    assert (tmp_path / "table.csv").read_text().splitlines() == EXPECTED
    write_table(tmp_path / "table.parquet", _columns(), "parquet")
    table = pyarrow.parquet.read_table(tmp_path / "table.parquet")
    rows = list(csv.reader(EXPECTED))
    assert table.column_names == rows[0]
    for place, name in enumerate(rows[0]):
        written = ["" if value is None else value for value in table[name].to_pylist()]
        assert written == [
            type(value)(text) for value, text in zip(written, [row[place] for row in rows[1:]], strict=True)
        ]


def test_no_objects_leave_the_header(tmp_path: Path) -> None:
    found = measure(np.zeros((4, 5), np.int64), np.zeros((1, 4, 5)))
    rows = {"detection_logits: a": np.zeros(0, np.float32)}
    columns = object_columns([("nuclei", found)], ["grey"], Scale(None, (0, 0)), rows=rows)
    for kind in ("csv", "parquet"):
        write_table(tmp_path / f"none.{kind}", columns, kind)
    header = "label,structure,area_px,centroid_x_px,centroid_y_px,box_x,box_y,box_width,box_height,mean: grey"
    assert (tmp_path / "none.csv").read_text() == f"{header},detection_logits: a\n"
    assert pyarrow.parquet.read_table(tmp_path / "none.parquet").num_rows == 0


def test_with_outlines_a_parquet_file_is_geoparquet(tmp_path: Path) -> None:
    columns = {"label": np.array([1, 2])}
    shapes = np.array([shapely.box(1, 2, 4, 6), shapely.box(10, 2, 11, 3)], dtype=object)
    write_table(tmp_path / "table.parquet", columns, "parquet", shapes)
    table = pyarrow.parquet.read_table(tmp_path / "table.parquet")
    assert table.column_names == ["label", "bbox", "geometry"]
    assert list(shapely.from_wkb(table["geometry"].to_pylist())) == shapes.tolist()
    assert table["bbox"].to_pylist()[0] == {"xmin": 1, "ymin": 2, "xmax": 4, "ymax": 6}
    described = json.loads(table.schema.metadata[b"geo"])
    assert described["columns"]["geometry"]["bbox"] == [1, 2, 11, 6]
    assert described["columns"]["geometry"]["crs"] is None
    write_table(tmp_path / "none.parquet", {"label": np.zeros(0, np.int64)}, "parquet", np.zeros(0, object))
    none = pyarrow.parquet.read_table(tmp_path / "none.parquet")
    assert (none.num_rows, none.schema) == (0, table.schema)
    write_table(tmp_path / "table.csv", columns, "csv", shapes)
    assert (tmp_path / "table.csv").read_text() == "label\n1\n2\n"


def test_volumes_have_volumes() -> None:
    labels = np.zeros((3, 4, 5), np.int64)
    labels[1:, 2:, 3:] = 1
    found = measure(labels, np.zeros((0, 3, 4, 5)))
    columns = object_columns([("nuclei", found)], [], Scale((2.0, 0.5, 0.5), (0, 0, 0)))
    row = {name: values.tolist()[0] for name, values in columns.items()}
    assert (row["volume_voxels"], row["volume_um3"], row["centroid_z_um"], row["box_depth"]) == (8, 4.0, 4.0, 2)


def test_parquet_without_its_library_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OutputError, match="pyarrow") as caught:
        write_table(tmp_path / "table.parquet", _columns(), "parquet")
    assert "instanseg-export[parquet]" in caught.value.hint
    assert not (tmp_path / "table.parquet").exists()
