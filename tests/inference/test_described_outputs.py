"""The files that a run writes, on real images: outlines, tables and label maps say the same."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import roifile
import shapely
import tifffile
from shapely.geometry import shape

from instanseg_export import read_image, run
from instanseg_export.errors import ImageError, OutputError
from support.paths import DEMO_IMAGES

GREY, HISTOLOGY = DEMO_IMAGES / "fluorescence.png", DEMO_IMAGES / "histology.png"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _features(path: Path) -> list[dict[str, Any]]:
    content = json.loads(path.read_text("utf-8"))
    assert content["type"] == "FeatureCollection"
    features: list[dict[str, Any]] = content["features"]
    return features


def test_all_files_agree_about_the_nuclei_of_a_real_image(demo_package: Path, tmp_path: Path) -> None:
    result = run(demo_package, HISTOLOGY, output=tmp_path, polygons=["geojson", "roi"], table="csv", pixel_size=0.5)
    labels = tifffile.imread(result.labels)
    areas = dict(zip(*(values[1:].tolist() for values in np.unique(labels, return_counts=True)), strict=True))
    assert len(areas) == result.found[0].instances > 20
    rows = _rows(tmp_path / "histology_objects.csv")
    assert result.objects == tmp_path / "histology_objects.csv"
    assert {int(row["label"]): int(row["area_px"]) for row in rows} == areas
    assert all(float(row["area_um2"]) == int(row["area_px"]) / 4 for row in rows)
    image = read_image(HISTOLOGY).array
    for row in rows[:5]:
        inside = labels == int(row["label"])
        assert float(row["mean: red"]) == pytest.approx(image[0][inside].mean(), rel=1e-6)
        y, x = np.nonzero(inside)
        assert (float(row["centroid_x_px"]), float(row["centroid_y_px"])) == pytest.approx(
            (x.mean() + 0.5, y.mean() + 0.5), rel=1e-6
        )
    assert result.polygons == (tmp_path / "histology_objects.geojson", tmp_path / "histology_rois.zip")
    features = _features(result.polygons[0])
    assert {
        feature["properties"]["measurements"]["label"]: shape(feature["geometry"]).area for feature in features
    } == areas
    assert all(shape(feature["geometry"]).is_valid for feature in features)
    assert {feature["properties"]["objectType"] for feature in features} == {"detection"}
    rois = roifile.roiread(result.polygons[1])
    assert isinstance(rois, list)
    assert [roi.name for roi in rois] == [f"nuclei-{label:05d}" for label in sorted(areas)]
    for roi in rois:
        if not roi.composite:
            assert shapely.Polygon(roi.coordinates()).area == areas[int(roi.name.split("-")[1])]
    again = run(
        demo_package, HISTOLOGY, output=tmp_path / "again", polygons=["geojson", "roi"], table="csv", pixel_size=0.5
    )
    for one, other in zip(result.written, again.written, strict=True):
        assert one.read_bytes() == other.read_bytes(), f"{one.name} differs from one run to the next"


def test_a_nucleus_and_its_cell_are_one_cell_of_qupath(
    exported: Callable[[str], Path], shared: Path, tmp_path: Path
) -> None:
    image = shared / "data/multiplex/FIHC4_2_component_data.tif"
    result = run(exported("nuclei_cells_channelnet"), image, output=tmp_path, polygons=["geojson"], table="parquet")
    nuclei, cells = tifffile.imread(result.labels)
    features = _features(result.polygons[0])
    assert len(features) == len(np.unique(cells)) - 1
    for feature in features:
        label = feature["properties"]["measurements"]["label"]
        assert feature["properties"]["objectType"] == "cell"
        cell = shape(feature["geometry"])
        assert cell.area == (cells == label).sum()
        if (nuclei == label).any():
            nucleus = shape(feature["nucleusGeometry"])
            assert nucleus.area == (nuclei == label).sum()
            assert cell.covers(nucleus)
        else:
            assert "nucleusGeometry" not in feature
    assert result.objects is not None
    table = pyarrow.parquet.read_table(result.objects).to_pylist()
    assert [row["structure"] for row in table] == ["nuclei"] * (len(np.unique(nuclei)) - 1) + ["cells"] * len(features)
    both = set(np.unique(nuclei)) & set(np.unique(cells)) - {0}
    assert {row["label"] for row in table if row["pair"] is not None} == both
    assert "mean: DAPI" in table[0]


def test_of_a_region_the_labels_are_its_own_and_the_rest_lies_in_the_whole_image(
    demo_package: Path, tmp_path: Path
) -> None:
    x, y, width, height = 70, 40, 120, 150
    part = run(
        demo_package, GREY, channels=[1, 1, 1], region=(x, y, width, height), output=tmp_path / "part",
        polygons=["geojson", "roi"], table="csv",
    )  # fmt: skip
    array = read_image(GREY).array[0, y : y + height, x : x + width]
    tifffile.imwrite(tmp_path / "crop.tif", array)
    crop = run(demo_package, tmp_path / "crop.tif", channels=[1, 1, 1], output=tmp_path / "crop")
    labels = tifffile.imread(part.labels)
    np.testing.assert_array_equal(labels, tifffile.imread(crop.labels))
    assert part.region == (x, y, width, height)
    assert any("region of 120 x 150 pixels from x 70, y 40" in note for note in part.notes)
    for feature in _features(part.polygons[0]):
        inside = np.zeros(labels.shape, bool)
        rows, columns = np.mgrid[:height, :width]
        inside = shapely.contains_xy(shape(feature["geometry"]), columns + x + 0.5, rows + y + 0.5)
        np.testing.assert_array_equal(inside, labels == feature["properties"]["measurements"]["label"])
    for row in _rows(tmp_path / "part/fluorescence_objects.csv"):
        down, right = np.nonzero(labels == int(row["label"]))
        assert (int(row["box_x"]), int(row["box_y"])) == (right.min() + x, down.min() + y)
        assert float(row["centroid_x_px"]) == pytest.approx(right.mean() + x + 0.5, rel=1e-6)
    rois = roifile.roiread(part.polygons[1])
    assert isinstance(rois, list)
    roi = rois[0]
    assert (roi.left, roi.top) == (np.nonzero(labels == 1)[1].min() + x, np.nonzero(labels == 1)[0].min() + y)


@pytest.mark.parametrize(
    "region",
    [(0, 0, 0, 5), (-1, 0, 5, 5), (0, -3, 5, 5), (250, 0, 20, 20), (0, 0, 257, 1), (0, 250, 5, 50), (10**12, 0, 1, 1)],
)
def test_a_region_outside_of_the_image_is_refused(
    demo_package: Path, tmp_path: Path, region: tuple[int, int, int, int]
) -> None:
    with pytest.raises(ImageError, match=r"not inside of .*fluorescence\.png, which is 256 pixels wide and 256 high"):
        run(demo_package, GREY, channels=[1, 1, 1], region=region, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"polygons": ["shapefile"]}, "polygons of kind 'shapefile'"),
        ({"table": "xlsx"}, "table of kind 'xlsx'"),
        ({"pixel_size": float("nan")}, "no length"),
        ({"pixel_size": 1e308}, "no length"),
        ({"pixel_size": -0.5}, "no length"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused_before_anything_is_read(
    demo_package: Path, tmp_path: Path, wishes: dict[str, Any], words: str
) -> None:
    with pytest.raises((OutputError, ImageError), match=words):
        run(demo_package, tmp_path / "not there.tif", output=tmp_path / "out", **wishes)
    assert list(tmp_path.iterdir()) == []


def test_pixels_that_are_not_square_are_rescaled_along_each_axis(demo_package: Path, tmp_path: Path) -> None:
    """An image stretched along x gives the nuclei of the image itself, and its files say both sizes."""
    array = read_image(HISTOLOGY).array
    stretched = np.repeat(array, 2, axis=2)
    tifffile.imwrite(
        tmp_path / "stretched.tif", np.moveaxis(stretched, 0, -1), photometric="rgb",
        resolution=(1e4 / 0.25, 1e4 / 0.5), resolutionunit="CENTIMETER",
    )  # fmt: skip
    result = run(demo_package, tmp_path / "stretched.tif", output=tmp_path, table="csv")
    plain = run(demo_package, HISTOLOGY, output=tmp_path, pixel_size=0.5)
    assert result.pixel_size == pytest.approx((0.5, 0.25))
    assert result.resampled
    assert any("0.25 x 0.5 µm (width x height)" in note for note in result.notes), result.notes
    assert result.found[0].instances == pytest.approx(plain.found[0].instances, rel=0.1)
    assert result.found[0].median_area_um2 == pytest.approx(plain.found[0].median_area_um2, rel=0.1)
    row = _rows(tmp_path / "stretched_objects.csv")[0]
    assert float(row["area_um2"]) == pytest.approx(int(row["area_px"]) * 0.125)
    assert read_image(result.labels).pixel_size == pytest.approx((0.5, 0.25), rel=1e-3)
