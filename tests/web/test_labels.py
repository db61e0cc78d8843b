"""The page finds what Python finds: the same pixels of the same ids, whatever the model, the image and the settings."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import tifffile
from PIL import Image as Pillow
from shapely.geometry import shape

import instanseg_export
from support.paths import VARIANTS
from support.web_labels import by_python
from support.web_models import write_image
from support.web_page import Opened, SegmentationPage

SLOW_FAMILIES = ("embedseg_tta", "classified", "classified_rescaled", "positivity")
"""Those of ``support.web_models.FAMILIES`` whose masks do not overlap, and which take longer than the others."""


def image_for(variant: str, shared: Path, folder: Path) -> Path:
    """A real image of as many channels as a variant takes, normalised, as upstream's own forward was given it."""
    name = "multiplex_2ch" if variant == "nuclei_cells_channelnet" else "dsb_58406ed8ef94"
    path = folder / "image.tif"
    image = np.load(shared / "golden" / variant / f"{name}.npz")["input"]
    tifffile.imwrite(path, image[:, :256, :256], photometric="minisblack", metadata={"axes": "CYX"})
    return path


def test_the_demo_s_sample(demo_package: Path, page_of: Opened, tmp_path: Path) -> None:
    """The main path: one click on the sample, one on Segment."""
    expected = by_python(
        demo_package, demo_package / "sample-histology.tif", tmp_path, polygons=["geojson"], table="csv"
    )
    with page_of(demo_package) as page:
        page.open_sample("histology")
        page.segment()
        np.testing.assert_array_equal(page.labels(), expected)
        assert expected.max() > 30
        assert page.page.locator("[data-count=nuclei]").inner_text() == str(expected.max())
        assert "All of the model ran in WebAssembly" in page.text("engine")
        name, tiff = page.file("tiff")
        assert name == "sample-histology_labels.tif"
        _same_tiff(tiff, tmp_path / name, tmp_path)
        _same_table(page.table(), tmp_path / "sample-histology_objects.csv")
        _same_outlines(page.geojson(), tmp_path / "sample-histology_objects.geojson")
        _take_picture(page, tmp_path)


def _take_picture(page: SegmentationPage, folder: Path) -> None:
    """Take the picture of docs/web.md; to keep it, set INSTANSEG_EXPORT_PICTURE to docs/images/web.png."""
    place = Path(os.environ.get("INSTANSEG_EXPORT_PICTURE", folder / "web.png"))
    # A window in which the viewer, as high as the window, ends where the controls and results do; then all of the page,
    # from its title down to its last line.
    page.page.set_viewport_size({"width": 1120, "height": 600})
    high = page.part("panel").evaluate("(panel) => panel.scrollHeight")
    page.page.set_viewport_size({"width": 1120, "height": high + 16})
    page.page.evaluate("scrollTo(0, 0)")
    page.page.click("#fit")
    page.page.wait_for_timeout(1500)
    page.page.screenshot(path=folder / "screen.png", full_page=True)
    seen = Pillow.open(folder / "screen.png").convert("RGB")
    seen.quantize(128).save(place, optimize=True)
    assert seen.size == (1120, page.page.evaluate("document.documentElement.scrollHeight"))
    viewer = page.part("viewer").bounding_box()
    assert viewer is not None
    x, y, width, height = (int(viewer[key]) for key in ("x", "y", "width", "height"))
    colours = seen.crop((x, y, x + width, y + height)).getcolors(10_000_000)
    assert colours is not None
    assert len(colours) > 1000, "the picture shows the sample"


def _same_tiff(content: bytes, expected: Path, folder: Path) -> None:
    """ImageJ and we read the same of both: type, axes, size of a pixel."""
    (folder / "page.tif").write_bytes(content)
    ours, theirs = (instanseg_export.read_image(path) for path in (folder / "page.tif", expected))
    assert ours.pixel_size == pytest.approx(theirs.pixel_size)
    assert ours.array.dtype == theirs.array.dtype
    with tifffile.TiffFile(folder / "page.tif") as tif:
        assert tif.is_imagej


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _same_table(rows: list[dict[str, str]], expected: Path) -> None:
    wanted = _table(expected)
    assert [list(row) for row in rows[:1]] == [list(row) for row in wanted[:1]]
    assert len(rows) == len(wanted)
    for row, other in zip(rows, wanted, strict=True):
        for name, value in other.items():
            _same_value(row[name], value, name)


def _same_value(found: str, wanted: str, name: str) -> None:
    if name == "structure" or name.startswith("detection_classes") or wanted == "":
        assert found == wanted
    else:
        assert float(found) == pytest.approx(float(wanted), rel=1e-6, abs=_slack(name))


def _slack(name: str) -> float:
    """Return how far numbers may be apart: networks round in each runtime as they please."""
    return 1e-3 if "detection_logits" in name or "scores" in name else 0.0


def _same_outlines(found: dict[str, Any], expected: Path) -> None:
    wanted = json.loads(expected.read_text())["features"]
    assert len(found["features"]) == len(wanted)
    for ours, theirs in zip(found["features"], wanted, strict=True):
        for key in ("geometry", "nucleusGeometry"):
            assert (key in ours) == (key in theirs)
            if key in theirs:
                assert shapely.is_valid(shape(ours[key]))
                assert shapely.equals(shape(ours[key]), shape(theirs[key]))
                assert shape(ours[key]).area == shape(theirs[key]).area
        _same_properties(ours["properties"], theirs["properties"])


def _same_properties(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for key in ("objectType", "classification"):
        assert ours.get(key) == theirs.get(key)
    assert ours["measurements"].keys() == theirs["measurements"].keys()
    for name, value in theirs["measurements"].items():
        assert ours["measurements"][name] == pytest.approx(value, rel=1e-6, abs=_slack(name)), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_in_webassembly(
    exported: Callable[[str], Path], variant: str, shared: Path, page_of: Opened, tmp_path: Path
) -> None:
    image = image_for(variant, shared, tmp_path)
    expected = by_python(exported(variant), image, tmp_path, polygons=["geojson"], table="csv")
    with page_of(exported(variant)) as page:
        page.open(image)
        page.segment()
        np.testing.assert_array_equal(page.labels(), expected)
        assert expected.max() > 5
        _same_table(page.table(), tmp_path / "image_objects.csv")
        _same_outlines(page.geojson(), tmp_path / "image_objects.geojson")


@pytest.mark.parametrize("family", ["embedseg", *(pytest.param(one, marks=pytest.mark.slow) for one in SLOW_FAMILIES)])
def test_each_family_in_webassembly(
    family: str, family_model: Callable[[str], Path], shared: Path, page_of: Opened, tmp_path: Path
) -> None:
    """What the model says of each object beside its outline goes into table and outlines too."""
    image = write_image(family, shared, tmp_path, 128, 160)
    expected = by_python(family_model(family), image, tmp_path, polygons=["geojson"], table="csv")
    with page_of(family_model(family)) as page:
        page.open(image)
        page.segment()
        np.testing.assert_array_equal(page.labels(), expected)
        assert expected.max() > 2
        _same_table(page.table(), tmp_path / "image_objects.csv")
        _same_outlines(page.geojson(), tmp_path / "image_objects.geojson")
        assert ("Classes:" in page.text("found")) == family.startswith("classified")


@pytest.mark.slow
def test_masks_that_overlap_are_shown_as_a_label_map(
    family_model: Callable[[str], Path], shared: Path, page_of: Opened, tmp_path: Path
) -> None:
    """The page says so; what it measures is the label map, under the scores and classes of Python's whole masks."""
    image = write_image("iaunet", shared, tmp_path, 128, 128)
    expected = by_python(family_model("iaunet"), image, tmp_path, polygons=["geojson"], table="csv")
    sizes = dict(zip(*np.unique(expected[expected > 0], return_counts=True), strict=True))
    whole = {row["label"]: row for row in _table(tmp_path / "image_objects.csv")}
    assert 2 < len(sizes) < len(whole), "one is hidden"
    with page_of(family_model("iaunet")) as page:
        page.open(image)
        page.segment()
        np.testing.assert_array_equal(page.labels(), expected)
        assert "masks of this model may overlap" in page.text("notes")
        rows = page.table()
        assert {int(row["label"]): int(row["area_px"]) for row in rows} == sizes
        for row in rows:
            assert row.keys() == whole[row["label"]].keys()
            for name in ("instance_scores", "detection_classes"):
                _same_value(row[name], whole[row["label"]][name], name)
        assert {one["properties"]["classification"]["name"] for one in page.geojson()["features"]} == {"cell"}
