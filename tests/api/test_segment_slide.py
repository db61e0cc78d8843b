"""Slides from end to end: real models and workers, each object once, the same bytes whoever does it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
import tifffile

from instanseg_export import build_forward, load_checkpoint, run, segment_slide
from instanseg_export.errors import ImageError, InstansegExportError, OutputError, SettingError
from instanseg_export.files import sha256_of
from instanseg_export.images.synthetic import draw_nuclei
from instanseg_export.images.synthetic_volumes import draw_spheres
from instanseg_export.parity.compare import compare_planes
from instanseg_export.slides.engine.events import RunEvent
from instanseg_export.slides.plane import blocks
from instanseg_export.slides.result import SlideResult
from instanseg_export.slides.sources.array import GivenArray
from instanseg_export.targets import write_artifact
from instanseg_export.targets.static import StaticShape
from support.embedseg_runs import write_volume_run
from support.paths import DEMO

zarr = pytest.importorskip("zarr")
pytest.importorskip("distributed")

Array = npt.NDArray[Any]


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pyramid of 1,040 x 1,200 pixels of 0.25 µm, RGB, half of it glass; the demo sees it at 0.5 µm."""
    path = tmp_path_factory.mktemp("slide") / "slide.ome.tif"
    half = np.full((3, 520, 600), 228, dtype=np.uint8)
    half[:, :, :320] = draw_nuclei(4, 3, 520, 320, dark=True).astype(np.uint8)
    full = half.repeat(2, axis=1).repeat(2, axis=2)
    with tifffile.TiffWriter(path, ome=True) as writer:
        about = {
            "axes": "CYX",
            "PhysicalSizeX": 0.25,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": 0.25,
            "PhysicalSizeYUnit": "µm",
        }
        form: dict[str, Any] = {"tile": (256, 256), "photometric": "minisblack", "compression": "zlib"}
        writer.write(full, subifds=1, metadata=about, **form)
        writer.write(half, subfiletype=1, **form)
    return path


@pytest.fixture(scope="module")
def result(demo_package: Path, slide: Path, tmp_path_factory: pytest.TempPathFactory) -> SlideResult:
    return segment_slide(demo_package, slide, output=tmp_path_factory.mktemp("whole"), tile=300, halo=50, workers=2)


def labels_of(result: SlideResult, structure: str = "nuclei") -> Array:
    return np.asarray(zarr.open_array(result.folder / "labels.zarr" / structure / "0", mode="r")[:])


def features_of(result: SlideResult) -> list[dict[str, Any]]:
    features: list[dict[str, Any]] = json.loads((result.folder / "objects.geojson").read_text())["features"]
    return features


def hashes(result: SlideResult) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in result.written if path.name != "run.json"}


def test_every_object_is_there_once_and_in_every_file(result: SlideResult) -> None:
    assert [path.name for path in result.written] == [
        "labels.zarr",
        "objects.geojson",
        "objects.parquet",
        "overview.png",
        "run.json",
    ]
    assert (result.plane, result.tiles, result.failed) == ((520, 600), 9, {})
    labels = labels_of(result)
    count = result.counts["nuclei"]
    assert count > 80
    assert labels.shape == (520, 600)
    assert np.unique(labels).tolist() == list(range(count + 1))
    features = features_of(result)
    assert [feature["properties"]["measurements"]["label"] for feature in features] == list(range(1, count + 1))
    areas = np.bincount(labels.ravel())[1:]
    outlines = [shapely.from_geojson(json.dumps(feature["geometry"])) for feature in features]
    assert all(outline.is_valid for outline in outlines)
    # Outlines are in pixels of full resolution, of which the plane's pixels have four.
    np.testing.assert_allclose([outline.area for outline in outlines], 4 * areas, rtol=1e-6)
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(result.folder / "objects.parquet")
    assert table.num_rows == count
    assert {path.name for path in result.folder.iterdir()} == {path.name for path in result.written}


def test_one_tile_finds_what_the_untiled_run_finds(demo_package: Path, slide: Path, tmp_path: Path) -> None:
    image = tmp_path / "half.tif"
    tifffile.imwrite(image, tifffile.imread(slide, level=1), photometric="minisblack", metadata={"axes": "CYX"})
    whole = run(demo_package, image, output=tmp_path / "untiled", pixel_size=0.5)
    one = segment_slide(demo_package, image, output=tmp_path / "one", tile=600, halo=0, workers=1, pixel_size=0.5)
    assert one.tiles == 1
    assert one.counts["nuclei"] == whole.found[0].instances > 80
    untiled = tifffile.imread(whole.labels)[None, None].astype(np.int64)
    pairs, _ = compare_planes(labels_of(one)[None, None].astype(np.int64), untiled)
    assert (pairs.iou > 0.99).sum() == whole.found[0].instances


def test_tiles_of_a_real_image_find_what_the_whole_shows(demo_package: Path, shared: Path, tmp_path: Path) -> None:
    """But for what the network sees otherwise at the edges of tiles."""
    image = shared / "data/examples/Fluorescence_example.tif"
    seen: dict[str, Any] = {"channels": [1, 1, 1], "pixel_size": 0.5}
    whole = run(demo_package, image, output=tmp_path / "untiled", **seen)
    result = segment_slide(demo_package, image, output=tmp_path / "tiles", tile=256, halo=80, workers=1, **seen)
    untiled = tifffile.imread(whole.labels)[None, None].astype(np.int64)
    pairs, _ = compare_planes(labels_of(result)[None, None].astype(np.int64), untiled)
    assert abs(result.counts["nuclei"] - whole.found[0].instances) <= 0.05 * whole.found[0].instances
    assert (pairs.iou > 0.8).sum() > 0.85 * whole.found[0].instances


def test_bytes_depend_on_nobody(result: SlideResult, demo_package: Path, slide: Path, tmp_path: Path) -> None:
    """Not on the number of workers, and not on an interruption after which another process goes on."""
    told: list[RunEvent] = []

    def stop(event: RunEvent) -> None:
        told.append(event)
        if event.finished == 2:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"output": tmp_path / "out", "tile": 300, "halo": 50, "workers": 1}
    with pytest.raises(KeyboardInterrupt):
        segment_slide(demo_package, slide, tell=stop, **options)
    assert told[-1].tiles == 9
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {"tiles"}
    with pytest.raises(OutputError, match="unfinished run"):
        segment_slide(demo_package, slide, **options)
    with pytest.raises(OutputError, match="grid halo was 50 and is 40"):
        segment_slide(demo_package, slide, resume=True, **{**options, "halo": 40})
    again = segment_slide(demo_package, slide, resume=True, **options)
    assert again.reused >= 2
    assert hashes(again) == hashes(result)


def test_results_are_replaced_only_where_they_are_ours(result: SlideResult, demo_package: Path, slide: Path) -> None:
    options: dict[str, Any] = {"output": result.folder, "tile": 300, "halo": 50, "workers": 1}
    with pytest.raises(OutputError, match="exists already") as caught:
        segment_slide(demo_package, slide, **options)
    assert "--overwrite" in caught.value.hint
    table = result.folder / "objects.parquet"
    before = table.read_bytes()
    table.write_bytes(b"mine")
    with pytest.raises(OutputError, match="was changed since"):
        segment_slide(demo_package, slide, overwrite=True, **options)
    assert table.read_bytes() == b"mine"
    table.write_bytes(before)


def test_a_run_that_is_killed_while_its_results_are_put_in_place_goes_on(
    result: SlideResult, demo_package: Path, slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And knows which files are its own: what somebody puts into the folder meanwhile stays."""
    options: dict[str, Any] = {"output": tmp_path / "out", "tile": 300, "halo": 50, "workers": 1}

    def kill(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("instanseg_export.slides.written.note_written", kill)
        with pytest.raises(KeyboardInterrupt):
            segment_slide(demo_package, slide, **options)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"labels.zarr", "tiles"}
    mine = tmp_path / "out" / "overview.png"
    mine.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"overview\.png was not written by a run"):
        segment_slide(demo_package, slide, resume=True, **options)
    assert mine.read_bytes() == b"mine"
    mine.unlink()
    again = segment_slide(demo_package, slide, resume=True, **options)
    assert again.reused == 9
    assert hashes(again) == hashes(result)
    assert {path.name for path in again.folder.iterdir()} == {path.name for path in again.written}


@pytest.mark.parametrize("name", ["run.json", "overview.png", "objects.geojson"])
def test_what_appears_in_a_folder_stays_what_it_is(demo_package: Path, slide: Path, tmp_path: Path, name: str) -> None:
    """Before the run, or while it is under way; and nothing but the placing is to be done again."""
    folder = tmp_path / "out"
    folder.mkdir()
    options: dict[str, Any] = {"output": folder, "tile": 300, "halo": 50, "workers": 1}
    (folder / name).write_text('{"mine": true}')
    choices: tuple[dict[str, Any], ...] = ({}, {"overwrite": True}, {"resume": True})
    for further in choices:
        with pytest.raises(OutputError):
            segment_slide(demo_package, slide, **options, **further)
    (folder / name).unlink()

    def put(event: RunEvent) -> None:
        (folder / name).write_text('{"mine": true}')

    with pytest.raises(OutputError, match="while the run was under way") as caught:
        segment_slide(demo_package, slide, tell=put, **options)
    assert "--resume" in caught.value.hint
    assert (folder / name).read_text() == '{"mine": true}'
    assert {path.name for path in folder.iterdir()} == {name, "tiles"}
    (folder / name).rename(tmp_path / name)
    assert segment_slide(demo_package, slide, resume=True, **options).reused == 9


def test_a_tile_that_cannot_be_read_is_left_out_and_tried_again(
    demo_package: Path, slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "_SIDE", {2: 128})
    pixels = tifffile.imread(slide, level=1)
    array = zarr.create_array(tmp_path / "image.zarr", data=pixels, chunks=(3, 128, 128))
    damaged = tmp_path / "image.zarr" / "c" / "0" / "0" / "4"
    damaged.write_bytes(damaged.read_bytes()[:100])
    given = GivenArray((array,), pixel_size=(0.5, 0.5))
    options: dict[str, Any] = {"tile": 300, "halo": 50, "workers": 1}
    result = segment_slide(demo_package, given, output=tmp_path / "out", **options)
    assert list(result.failed) == [2]
    assert result.counts["nuclei"] > 50
    assert any("1 tile failed" in note and "--resume" in note for note in result.notes)
    assert any("1 part of the slide cannot be read" in note for note in result.notes)
    with pytest.raises(OutputError, match="exists already"):
        segment_slide(demo_package, given, output=tmp_path / "out", **options)
    again = segment_slide(demo_package, given, output=tmp_path / "out", resume=True, **options)
    assert (again.reused, list(again.failed)) == (8, [2])
    assert hashes(again) == hashes(result)
    with pytest.raises(ImageError, match="damaged"):
        segment_slide(demo_package, given, output=tmp_path / "strict", strict=True, **options)
    assert not (tmp_path / "strict").exists()


@pytest.fixture
def annotation(tmp_path: Path) -> Path:
    path = tmp_path / "annotation.geojson"
    ring = [[200, 200], [600, 200], [600, 700], [200, 700], [200, 200]]
    path.write_text(json.dumps({"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}))
    return path


def test_an_annotation_and_a_region_limit_what_counts(
    result: SlideResult, demo_package: Path, slide: Path, annotation: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"tile": 300, "halo": 50, "workers": 1}
    marked = segment_slide(demo_package, slide, output=tmp_path / "a", annotation=annotation, tissue=True, **options)
    inside = shapely.box(200, 200, 600, 700)
    centres = [shapely.from_geojson(json.dumps(one["geometry"])).centroid for one in features_of(marked)]
    assert len(centres) > 20
    assert all(inside.buffer(2).contains(centre) for centre in centres)
    assert any("Tissue was found" in note for note in marked.notes)
    assert any("marks was segmented" in note for note in marked.notes)
    assert marked.tiles < 9
    assert not any("failed" in note for note in marked.notes), "tiles outside of the annotation are not done at all"
    region = segment_slide(demo_package, slide, output=tmp_path / "r", region=(200, 200, 400, 500), **options)
    assert region.plane == (250, 200)
    places = [shapely.from_geojson(json.dumps(one["geometry"])).bounds for one in features_of(region)]
    assert min(place[0] for place in places) >= 200
    assert max(place[3] for place in places) <= 700


def test_nuclei_and_cells_stay_together(exported: Callable[[str], Path], tmp_path: Path) -> None:
    image = draw_nuclei(11, 2, 260, 300)
    folder = exported("nuclei_cells_channelnet")
    result = segment_slide(
        folder / "model.onnx", image, output=tmp_path, pixel_size=0.5, tile=160, halo=40, workers=1, keep_tiles=True
    )
    nuclei, cells = labels_of(result, "nuclei"), labels_of(result, "cells")
    assert result.counts == {"nuclei": np.unique(nuclei).size - 1, "cells": np.unique(cells).size - 1}
    assert result.counts["cells"] > 10
    both = (nuclei > 0) & (cells > 0)
    assert (nuclei[both] == cells[both]).mean() > 0.99
    found = [feature for feature in features_of(result) if "nucleusGeometry" in feature]
    assert len(found) == np.intersect1d(nuclei, cells).size - 1
    assert (tmp_path / "tiles").is_dir()


@pytest.mark.slow
def test_a_file_of_one_size_gets_tiles_of_that_size(result: SlideResult, slide: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(DEMO)
    path = tmp_path / "model.static.onnx"
    write_artifact("onnx_static", build_forward(checkpoint), checkpoint, path, StaticShape(300, 300, 256, None))
    static = segment_slide(path, slide, output=tmp_path / "out", halo=50, workers=2)
    assert static.tiles == 9
    # The tiles at the plane's end are filled up to that size, so that the network sees something else there.
    same = (labels_of(static)[:250, :250] > 0) == (labels_of(result)[:250, :250] > 0)
    assert same.mean() > 0.999


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("volumes")
    checkpoint = load_checkpoint(write_volume_run(folder / "nuclei_3d"))
    write_artifact("onnx", build_forward(checkpoint), checkpoint, folder / "model.onnx")
    return folder / "model.onnx"


def test_volumes_go_through_in_blocks(volumes: Path, tmp_path: Path) -> None:
    volume = draw_spheres(5, 1, (40, 60, 64))[0].astype(np.uint8)
    stack = tmp_path / "stack.tif"
    about = {"axes": "ZYX", "unit": "um", "spacing": 0.5}
    tifffile.imwrite(stack, volume, imagej=True, resolution=(5, 5), metadata=about)
    result = segment_slide(volumes, stack, output=tmp_path / "out", tile=44, halo=10, workers=1)
    labels = labels_of(result, next(iter(result.counts)))
    assert labels.shape == (40, 60, 64)
    assert np.unique(labels).size - 1 == sum(result.counts.values()) > 3
    assert any("1 and 99.8 percentiles" in note for note in result.notes), "EmbedSeg has percentiles of its own"
    assert not (result.folder / "objects.geojson").exists()
    assert (result.folder / "objects.parquet").exists()


BAD: dict[str, tuple[dict[str, Any], type[InstansegExportError], str]] = {
    "a channel that is not there": ({"channels": [1, 2, 9]}, ImageError, "has no channel '9'"),
    "too few channels": ({"channels": [1]}, ImageError, "takes 3"),
    "halos that meet": ({"tile": 100, "halo": 50}, SettingError, "leave nothing in the middle"),
    "a region outside": ({"region": (5000, 0, 10, 10)}, ImageError, "region"),
    "an unknown setting": ({"settings": {"seed_treshold": 1}}, SettingError, "seed_treshold"),
    "a scheduler that is none": ({"scheduler": "nonsense://x", "workers": None}, SettingError, "no address"),
    "both": ({"scheduler": "tcp://127.0.0.1:1"}, SettingError, "as many as it has"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_options_are_refused_in_words(demo_package: Path, slide: Path, tmp_path: Path, name: str) -> None:
    keywords, kind, words = BAD[name]
    with pytest.raises(kind, match=words) as caught:
        segment_slide(demo_package, slide, **{"output": tmp_path / "out", "workers": 1, **keywords})
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_bad_slides_are_refused_in_words(demo_package: Path, slide: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.tif"
    cut.write_bytes(slide.read_bytes()[:40_000])
    plain = tmp_path / "plain.tif"
    tifffile.imwrite(plain, np.zeros((64, 64, 3), np.uint8), photometric="rgb")
    for path, words, hint in (
        (cut, "cut.tif", ""),
        (plain, "pixel size", "--pixel-size"),
        (tmp_path / "none.svs", "none.svs", ""),
    ):
        with pytest.raises(ImageError, match=words) as caught:
            segment_slide(demo_package, path, output=tmp_path / "out", workers=1)
        assert hint in caught.value.hint
    assert not (tmp_path / "out" / "labels.zarr").exists()
