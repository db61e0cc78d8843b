"""A region, an annotation and tissue limit what is segmented."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from instanseg_export.errors import ImageError
from instanseg_export.slides.box import Box
from instanseg_export.slides.grid import make_grid
from instanseg_export.slides.plane.area import Area, choose_area
from instanseg_export.slides.plane.levels import lay_plane
from instanseg_export.slides.plane.tissue import Tissue
from instanseg_export.slides.sources import GivenArray, SlideAddress, SlideInfo, open_slide

RNG = np.random.default_rng(3)
HEIGHT, WIDTH = 700, 900


@pytest.fixture
def info() -> SlideInfo:
    with open_slide(SlideAddress(GivenArray((np.zeros((1, HEIGHT, WIDTH), np.uint8),), pixel_size=(0.5, 0.5)))) as one:
        return one.info


def _write(folder: Path, *shapes: BaseGeometry, wrapped: str = "collection", kind: str | None = "annotation") -> Path:
    features = [
        {
            "type": "Feature",
            "id": str(place),
            "geometry": shapely.geometry.mapping(one),
            "properties": {} if kind is None else {"objectType": kind, "name": "tumour"},
        }
        for place, one in enumerate(shapes)
    ]
    content: Any = {"type": "FeatureCollection", "features": features}
    if wrapped == "list":
        content = features
    elif wrapped == "feature":
        content = features[0]
    elif wrapped == "geometry":
        content = features[0]["geometry"]
    path = folder / "marked.geojson"
    path.write_text(json.dumps(content))
    return path


RING = shapely.Polygon(
    [(100, 80), (500, 60), (640, 420), (300, 600), (90, 400)], [[(200, 200), (400, 200), (400, 380), (200, 380)]]
)
ISLAND = shapely.Polygon([(700, 500), (850, 510), (800, 660)])


def _truth(area: Area, points: np.ndarray, outline: BaseGeometry) -> np.ndarray:
    return np.array([outline.contains(shapely.Point(x, y)) for y, x in points])


@pytest.mark.parametrize("wrapped", ["collection", "list", "feature", "geometry"])
@pytest.mark.parametrize("kind", ["annotation", None])
def test_an_annotation_limits_tiles_and_objects(
    wrapped: str, kind: str | None, info: SlideInfo, tmp_path: Path
) -> None:
    shapes = (RING, ISLAND) if wrapped in ("collection", "list") else (shapely.MultiPolygon([RING, ISLAND]),)
    area = choose_area(info, annotation=_write(tmp_path, *shapes, wrapped=wrapped, kind=kind))
    area = pickle.loads(pickle.dumps(area))
    outline = RING.union(ISLAND)
    assert area.bounds == Box((60, 90), (660, 850))
    assert area.share == pytest.approx(outline.area / (HEIGHT * WIDTH), rel=0.01)
    points = RNG.random((500, 2)) * (HEIGHT, WIDTH)
    assert np.array_equal(area.counts(points), _truth(area, points, outline))
    _check_tiles(area, info, outline)
    inside = area.inside(np.arange(0.5, HEIGHT, 4), np.arange(0.5, WIDTH, 4))
    assert inside.mean() == pytest.approx(area.share, rel=0.02)
    assert "marked.geojson marks" in area.notes[-1]


def _check_tiles(area: Area, info: SlideInfo, outline: BaseGeometry) -> None:
    for wanted in (0.5, 0.8):
        geometry = lay_plane(info, area.box(info), model_pixel_size=wanted)
        grid = make_grid(geometry.shape, 90, 10)
        chosen = set(area.tiles(grid, geometry))
        assert 0 < len(chosen) < len(grid)
        points = RNG.random((2000, 2)) * geometry.shape
        counted = points[area.counts(geometry.to_full(points))]
        assert len(counted) > 200
        for y, x in counted:
            tile = next(t for t in grid if t.core.low[0] <= y < t.core.high[0] and t.core.low[1] <= x < t.core.high[1])
            assert tile.index in chosen, "an object that counts has a tile"
        for tile in grid:
            low, high = geometry.to_full(tile.core.low), geometry.to_full(tile.core.high)
            apart = not outline.intersects(shapely.box(low[1], low[0], high[1], high[0]))
            assert not (apart and tile.index in chosen), "nothing is done for nothing"


def test_everything_by_default(info: SlideInfo) -> None:
    area = choose_area(info)
    assert (area.bounds, area.share, area.notes) == (Box((0, 0), (HEIGHT, WIDTH)), 1.0, ())
    geometry = lay_plane(info)
    grid = make_grid(geometry.shape, 200, 20)
    assert area.tiles(grid, geometry) == list(range(len(grid)))
    assert area.counts(np.array([[0, 0], [HEIGHT - 0.5, WIDTH - 0.5]])).all()


def test_a_region(info: SlideInfo) -> None:
    area = choose_area(info, region=(30, 40, 200, 100))
    assert area.bounds == Box((40, 30), (140, 230))
    assert area.share == pytest.approx(20000 / (HEIGHT * WIDTH))
    assert area.counts(np.array([[40, 30], [39.9, 100], [139.9, 229.9], [140, 100]])).tolist() == [
        True,
        False,
        True,
        False,
    ]
    with pytest.raises(ImageError, match="is not inside of"):
        choose_area(info, region=(800, 40, 200, 100))


def test_volumes_keep_their_slices() -> None:
    with open_slide(SlideAddress(GivenArray((np.zeros((2, 9, 50, 60), np.uint8),)), 3)) as source:
        area = choose_area(source.info, region=(10, 20, 30, 25))
        assert area.box(source.info) == Box((0, 20, 10), (9, 45, 40))
        geometry = lay_plane(source.info, area.box(source.info))
        grid = make_grid(geometry.shape, (5, 20, 20), 1)
        assert area.tiles(grid, geometry) == list(range(len(grid)))


def _tissue(mask: np.ndarray) -> Tissue:
    return Tissue(mask, float(mask.mean()), "Tissue was found.")


@pytest.mark.parametrize("cells", [(7, 9), (70, 90), (33, 47)])
def test_tissue(cells: tuple[int, int], info: SlideInfo) -> None:
    mask = np.zeros(cells, bool)
    mask[cells[0] // 3 : cells[0] // 2 + 1, cells[1] // 4 : cells[1] // 2] = True
    area = choose_area(info, tissue=_tissue(mask))
    whole = np.stack(np.meshgrid(np.arange(HEIGHT) + 0.5, np.arange(WIDTH) + 0.5, indexing="ij"), -1).reshape(-1, 2)
    places = (whole / (HEIGHT, WIDTH) * cells).astype(int)
    expected = mask[places[:, 0], places[:, 1]]
    assert np.array_equal(area.counts(whole), expected)
    assert np.array_equal(area.inside(whole[::WIDTH, 0], whole[:WIDTH, 1]).ravel(), expected)
    assert area.share == pytest.approx(mask.mean())
    low, high = whole[expected].min(0), whole[expected].max(0)
    assert np.abs(np.subtract(area.bounds.low, low)).max() < 2
    assert np.abs(np.subtract(area.bounds.high, high)).max() < 2
    assert area.notes == ("Tissue was found.",)


def test_all_that_is_given_holds(info: SlideInfo, tmp_path: Path) -> None:
    mask = np.zeros((70, 90), bool)
    mask[:35] = True
    path = _write(tmp_path, RING, ISLAND)
    area = choose_area(info, region=(0, 0, 600, 500), annotation=path, tissue=_tissue(mask))
    points = RNG.random((3000, 2)) * (HEIGHT, WIDTH)
    clear = np.abs(points[:, 0] - 350) > 2
    expected = _truth(area, points, RING) & (points[:, 0] < 350) & (points[:, 1] < 600)
    # Along the outline the mask's cells are as coarse as they are.
    edge = np.array([RING.boundary.distance(shapely.Point(x, y)) < 15 for y, x in points])
    assert np.array_equal(area.counts(points)[clear & ~edge], expected[clear & ~edge])
    assert not (area.counts(points) & ~_truth(area, points, RING)).any()
    assert area.bounds.high[0] <= 351
    assert area.bounds.high[1] <= 600


def test_where_there_is_no_tissue_all_is_segmented(info: SlideInfo, tmp_path: Path) -> None:
    mask = np.zeros((70, 90), bool)
    mask[60:] = True
    area = choose_area(info, region=(0, 0, 100, 100), tissue=_tissue(mask))
    assert area.bounds == Box((0, 0), (100, 100))
    assert area.counts(np.array([[50, 50]])).all()
    assert "No tissue was found in what is to be segmented" in area.notes[1]
    assert choose_area(info, tissue=Tissue(None, 1.0, "No tissue.")).share == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("7", "not a feature"),
        ("[]", "marks no area"),
        ('{"type": "FeatureCollection", "features": []}', "marks no area"),
        ('{"type": "FeatureCollection", "features": 3}', "damaged"),
        ('{"type": "Feature", "geometry": null, "properties": null}', "marks no area"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [5, 5]]]}', "damaged"),
        ('{"type": "Polygon", "coordinates": [[["a", 0], [5, 5], [5, 0], [0, 0]]]}', "damaged"),
        ('{"type": "Polygon"}', "damaged"),
        ('{"type": "Point", "coordinates": [5, 5]}', "marks no area"),
        ('{"type": "Polygon", "coordinates": [[[5, 5], [50, 50], [5, 5], [5, 5]]]}', "marks no area"),
    ],
)
def test_annotations_that_are_none(content: str, words: str, info: SlideInfo, tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(content)
    with pytest.raises(ImageError, match=words):
        choose_area(info, annotation=path)


def test_an_annotation_that_misses(info: SlideInfo, tmp_path: Path) -> None:
    far = shapely.box(5000, 6000, 5100, 6200)
    with pytest.raises(ImageError, match="misses the image: it marks x 5000 to 5100 and y 6000 to 6200"):
        choose_area(info, annotation=_write(tmp_path, far))
    with pytest.raises(ImageError, match="marks nothing in the region"):
        choose_area(info, region=(0, 0, 50, 50), annotation=_write(tmp_path, ISLAND))
    with pytest.raises(ImageError, match="There is no file"):
        choose_area(info, annotation=tmp_path / "none.geojson")
    with pytest.raises(ImageError, match="marks no area"):
        choose_area(info, annotation=_write(tmp_path, RING, kind="detection"))


def test_polygons_that_cross_themselves_are_mended(info: SlideInfo, tmp_path: Path) -> None:
    bow = shapely.Polygon([(100, 100), (300, 300), (300, 100), (100, 300)])
    area = choose_area(info, annotation=_write(tmp_path, bow))
    assert area.counts(np.array([[200, 120], [200, 280], [120, 200], [280, 200]])).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_a_sliver_is_something(info: SlideInfo, tmp_path: Path) -> None:
    area = choose_area(info, annotation=_write(tmp_path, shapely.box(100.1, 50.1, 100.2, 50.2)))
    geometry = lay_plane(info, area.box(info), model_pixel_size=0.5)
    assert area.tiles(make_grid(geometry.shape, 50, 5), geometry) == [0]
