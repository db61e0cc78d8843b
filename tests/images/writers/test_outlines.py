"""Outlines, and the files of them that QuPath and ImageJ read: areas to the pixel, whatever the shape."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
import roifile
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapely.geometry import shape

from instanseg_export.images.objects import Piece, pieces, pieces_of_masks
from instanseg_export.images.writers import Feature, outline, outlines, write_geojson, write_rois

MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))).filter(lambda mask: mask.any())


def _painted(outline_: shapely.Geometry, height: int, width: int) -> np.ndarray:
    """The pixels whose centres lie inside."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.asarray(shapely.contains_xy(outline_, x, y))


@settings(max_examples=400, deadline=None)
@given(MASKS, st.integers(0, 70_000), st.integers(0, 70_000))
def test_an_outline_holds_exactly_the_pixels_of_any_mask(mask: np.ndarray, top: int, left: int) -> None:
    found = outline(Piece(1, 3, 5, mask), (top, left))
    assert found.is_valid
    assert found.area == mask.sum()
    back = shapely.transform(found, lambda points: points - [left + 5, top + 3])
    np.testing.assert_array_equal(_painted(back, *mask.shape), mask)


@settings(max_examples=100, deadline=None)
@given(st.lists(MASKS, max_size=8), st.integers(0, 70_000))
def test_outlines_of_many_are_those_of_each(masks: list[np.ndarray], left: int) -> None:
    """They are what uniting the pixels gives, with no corner on a straight edge, and turn as GeoJSON has it."""
    given = [Piece(place, place, left, mask) for place, mask in enumerate(masks)]
    found = list(outlines(given, (2, 1)))
    assert len(found) == len(given)
    for piece, one in zip(given, found, strict=True):
        y, x = np.nonzero(piece.mask)
        y, x = y + piece.top + 2, x + piece.left + 1
        whole = shapely.simplify(shapely.union_all(shapely.box(x, y, x + 1, y + 1)), 0)
        assert one.equals(whole)
        assert one.geom_type == whole.geom_type
        assert shapely.get_num_coordinates(one) == shapely.get_num_coordinates(whole)
        for polygon in getattr(one, "geoms", [one]):
            assert polygon.exterior.is_ccw
            assert not any(ring.is_ccw for ring in polygon.interiors)


def test_outlines_of_large_objects_among_small_ones() -> None:
    """So many pixels that they are not traced together."""
    y, x = np.mgrid[:900, :1100]
    masks = [np.ones((2, 3), bool), (y // 50 + x // 60) % 2 == 0, np.ones((1, 1), bool), np.ones((900, 900), bool)]
    areas = [one.area for one in outlines(Piece(place, 0, 0, mask) for place, mask in enumerate(masks))]
    assert areas == [mask.sum() for mask in masks]


def test_pieces_are_those_of_the_label_map_whatever_the_ids() -> None:
    labels = np.zeros((30, 40), np.int64)
    labels[2:5, 3:9], labels[10:20, 30:40], labels[25, 0] = 7, 10**12, 3
    found = {piece.label: piece for piece in pieces(labels)}
    assert list(found) == [3, 7, 10**12]
    assert (found[10**12].top, found[10**12].left, found[10**12].mask.shape) == (10, 30, (10, 10))
    assert list(pieces(np.zeros((4, 4), np.int64))) == []


def test_pieces_of_overlapping_masks_keep_what_others_cover() -> None:
    masks = np.zeros((3, 10, 10), np.uint8)
    masks[0, 2:8, 2:8] = 1
    masks[2, 4:6, 0:10] = 1
    found = list(pieces_of_masks(masks))
    assert [(piece.label, int(piece.mask.sum())) for piece in found] == [(1, 36), (3, 20)]


def _ring() -> np.ndarray:
    mask = np.ones((7, 7), bool)
    mask[2:5, 2:5] = False
    mask[3, 3] = True
    return mask


def test_geojson_is_what_qupath_reads(tmp_path: Path) -> None:
    cell, nucleus = outline(Piece(1, 0, 0, _ring())), outline(Piece(1, 3, 3, np.ones((1, 1), bool)))
    features = [
        Feature("cells/1", cell, nucleus=nucleus, cell=True, classification=("tumour µ", 1), measurements={"Label": 1}),
        Feature("nuclei/2", nucleus, measurements={"Label": 2.0, "mean: DAPI": float("nan")}),
    ]
    for name, source in (("a", "x"), ("b", "x"), ("c", "y")):
        write_geojson(tmp_path / name, features, source=source)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    content = json.loads((tmp_path / "a").read_text("utf-8"))
    other = json.loads((tmp_path / "c").read_text("utf-8"))
    assert content["type"] == "FeatureCollection"
    first, second = content["features"]
    ids = [UUID(feature["id"]) for feature in content["features"] + other["features"]]
    assert len(set(ids)) == 4
    assert first["properties"] == {
        "objectType": "cell",
        "classification": {"name": "tumour µ", "color": first["properties"]["classification"]["color"]},
        "measurements": {"Label": 1.0},
    }
    assert first["geometry"]["type"] == "MultiPolygon"
    assert shape(first["geometry"]).area == _ring().sum()
    assert shape(first["nucleusGeometry"]).area == 1
    assert second["properties"] == {"objectType": "detection", "measurements": {"Label": 2.0}}
    for feature in content["features"]:
        parts = feature["geometry"]["coordinates"]
        for polygon in parts if feature["geometry"]["type"] == "MultiPolygon" else [parts]:
            assert all(ring[0] == ring[-1] and len(ring) >= 5 for ring in polygon), "rings are closed"


def test_geojson_of_nothing_is_an_empty_collection(tmp_path: Path) -> None:
    write_geojson(tmp_path / "none", [], source="x")
    assert json.loads((tmp_path / "none").read_text()) == {"type": "FeatureCollection", "features": []}


@pytest.mark.parametrize("far", [0, 40_000, 70_000])
def test_rois_hold_the_same_outlines(tmp_path: Path, far: int) -> None:
    plain, ring = np.ones((4, 6), bool), _ring()
    outlines = [(place, outline(Piece(place, 1, 2, mask), (far, far))) for place, mask in enumerate((plain, ring), 1)]
    write_rois(tmp_path / "a.zip", [("nuclei", outlines), ("cells", outlines[:1])])
    write_rois(tmp_path / "b.zip", [("nuclei", outlines), ("cells", outlines[:1])])
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["nuclei-00001.roi", "nuclei-00002.roi", "cells-00001.roi"]
    rois = roifile.roiread(tmp_path / "a.zip")
    assert isinstance(rois, list)
    assert [(roi.name, roi.group, roi.position) for roi in rois] == [
        ("nuclei-00001", 1, 0),
        ("nuclei-00002", 1, 0),
        ("cells-00001", 2, 0),
    ]
    for roi, mask in zip(rois, (plain, ring, plain), strict=True):
        rings = roi.coordinates(multi=True) if roi.composite else [roi.coordinates()]
        inside = np.zeros(mask.shape, int)
        for one in rings:
            inside += _painted(shapely.Polygon(np.asarray(one) - [far + 2, far + 1]), *mask.shape)
        np.testing.assert_array_equal(inside % 2 == 1, mask)  # a path is filled where an odd number of rings surround
