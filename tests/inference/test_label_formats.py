"""What a run writes for large-image tools: the label map as OME-Zarr and the table as GeoParquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import shapely
import tifffile
import zarr
from ome_zarr_models import open_ome_zarr
from ome_zarr_models.v05.labels import Labels
from shapely.geometry import shape

from instanseg_export import run, run_many
from instanseg_export.errors import OutputError
from support.paths import DEMO_IMAGES

HISTOLOGY = DEMO_IMAGES / "histology.png"


def _pyramid(folder: Path) -> tuple[np.ndarray, dict[str, Any]]:
    opened = open_ome_zarr(folder, version="0.5")
    assert isinstance(opened, Labels)
    (name,) = opened.label_paths
    described: Any = zarr.open_group(folder / name, mode="r").attrs["ome"]
    array = zarr.open_array(folder / name / "0", mode="r")
    return np.asarray(array[...]), described["multiscales"][0]


def test_labels_are_the_same_as_ome_zarr(demo_package: Path, tmp_path: Path) -> None:
    result = run(
        demo_package, HISTOLOGY, output=tmp_path, region=(20, 30, 150, 140), pixel_size=0.5,
        label_format="ome-zarr", table="parquet", polygons=["geojson"],
    )  # fmt: skip
    assert result.pyramid == tmp_path / "histology_labels.zarr"
    assert result.pyramid in result.written
    labels, described = _pyramid(result.pyramid)
    np.testing.assert_array_equal(labels, tifffile.imread(result.labels))
    assert labels.max() > 5
    assert [axis["unit"] for axis in described["axes"]] == ["micrometer"] * 2
    assert described["datasets"][0]["coordinateTransformations"] == [
        {"type": "scale", "scale": [0.5, 0.5]},
        {"type": "translation", "translation": [15.0, 10.0]},
    ]
    # The table has the outlines of the GeoJSON file.
    features = json.loads(result.polygons[0].read_text("utf-8"))["features"]
    outlines = {one["properties"]["measurements"]["label"]: shape(one["geometry"]) for one in features}
    assert result.objects is not None
    table = pyarrow.parquet.read_table(result.objects)
    assert json.loads(table.schema.metadata[b"geo"])["version"] == "1.1.0"
    for row in table.to_pylist():
        found = shapely.from_wkb(row["geometry"])
        assert found.equals(outlines.pop(row["label"]))
        assert found.area == row["area_px"]
        assert found.bounds[:2] == (row["box_x"], row["box_y"])
    assert not outlines


def test_a_pyramid_is_replaced_with_the_files_of_its_run_and_only_if_nobody_changed_it(
    demo_package: Path, tmp_path: Path
) -> None:
    def again(**more: Any) -> Path:
        found = run(demo_package, HISTOLOGY, output=tmp_path, pixel_size=0.5, label_format="ome-zarr", **more).pyramid
        assert found is not None
        return found

    pyramid = again()
    assert _pyramid(pyramid)[0].shape == tifffile.imread(tmp_path / "histology_labels.tif").shape
    with pytest.raises(OutputError, match="exists already"):
        again()
    again(overwrite=True, region=(0, 0, 100, 90))
    assert _pyramid(pyramid)[0].shape == tifffile.imread(tmp_path / "histology_labels.tif").shape == (90, 100)
    (pyramid / "nuclei/mine.txt").write_text("mine")
    before = (tmp_path / "histology_labels.tif").read_bytes()
    with pytest.raises(OutputError, match=r"histology_labels\.zarr"):
        again(overwrite=True)
    assert (pyramid / "nuclei/mine.txt").read_text() == "mine"
    assert (tmp_path / "histology_labels.tif").read_bytes() == before
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_pyramid_in_a_folder_of_images_is_no_image(demo_package: Path, tmp_path: Path) -> None:
    (tmp_path / "histology.png").write_bytes(HISTOLOGY.read_bytes())
    options: Any = {"output": tmp_path, "region": (0, 0, 64, 64), "pixel_size": 0.5, "label_format": "ome-zarr"}
    run(demo_package, tmp_path / "histology.png", **options)
    ended, notes = run_many(demo_package, [tmp_path], recursive=True, overwrite=True, **options)
    assert [one.image.name for one in ended] == ["histology.png"]
    assert any("histology_labels.zarr" in note and "earlier runs" in note for note in notes)


def test_an_unknown_format_is_refused(demo_package: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="'n5'") as caught:
        run(demo_package, HISTOLOGY, output=tmp_path, label_format="n5")
    assert "ome-zarr" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
