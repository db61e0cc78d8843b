"""What is no image, no label map or no pair ends in an error that names it, before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from instanseg_export import (
    ImageError,
    InstansegExportError,
    SettingError,
    build_forward,
    evaluate,
    load_checkpoint,
    run,
)
from instanseg_export.evaluation.html import render_html
from instanseg_export.evaluation.records import ALL, EvaluationData
from instanseg_export.images.synthetic_volumes import draw_spheres
from instanseg_export.targets import write_artifact
from support.embedseg_runs import write_volume_run
from support.paths import DEMO
from support.planted_shapes import shapes

Array = NDArray[Any]

LABELS = shapes((60, 80), 3, 0.4, 2.0, 20)


def _write(folder: Path, labels: Array, *, name: str = "a.tif", pixels: Array | None = None) -> None:
    for part in ("images", "labels"):
        (folder / part).mkdir(exist_ok=True)
    image = np.zeros((60, 80, 3), dtype=np.uint8) if pixels is None else pixels
    tifffile.imwrite(folder / "images" / name, image)
    tifffile.imwrite(folder / "labels" / name, labels)


def _float(folder: Path) -> None:
    _write(folder, np.where(LABELS > 0, 0.7, 0.1).astype(np.float32))


def _nan(folder: Path) -> None:
    _write(folder, np.where(LABELS > 0, LABELS, np.nan).astype(np.float32))


def _negative(folder: Path) -> None:
    _write(folder, np.where(LABELS > 0, LABELS, -1).astype(np.int16))


def _empty(folder: Path) -> None:
    for name in ("a.tif", "b.tif"):
        _write(folder, np.zeros_like(LABELS), name=name)


def _binary(folder: Path) -> None:
    for place, name in enumerate(("a.tif", "b.tif")):
        _write(folder, (np.roll(LABELS, place, 0) > 0).astype(np.uint8) * 255, name=name)


def _colours(folder: Path) -> None:
    _write(folder, np.stack([LABELS.astype(np.uint8)] * 3, axis=-1))


def _turned(folder: Path) -> None:
    _write(folder, np.ascontiguousarray(LABELS.T))


def _other_size(folder: Path) -> None:
    _write(folder, LABELS[:, :-1])


def _no_image(folder: Path) -> None:
    _write(folder, LABELS)
    (folder / "images" / "a.tif").write_bytes(b"II*\0 this is no image")


def _index(folder: Path, text: str) -> None:
    _write(folder, LABELS)
    (folder / "index.csv").write_text(text)


@pytest.mark.parametrize(
    ("make", "error", "message", "hint"),
    [
        (_float, ImageError, "a.tif is no label map: it holds 0.1 to 0.7", "probabilities"),
        (_nan, ImageError, "a.tif holds values that are not finite", "whole numbers"),
        (_negative, ImageError, "a.tif is no label map: it holds -1", "left out"),
        (_empty, ImageError, "All 2 label maps are empty", "Check"),
        (_binary, ImageError, "semantic masks", "number of its own"),
        (_colours, ImageError, "a.tif has 3 planes", "picture in colour"),
        (_turned, ImageError, "80 x 60 pixels, but its image .*a.tif has 60 x 80", "transpose"),
        (_other_size, ImageError, "60 x 79 pixels, but its image .*a.tif has 60 x 80", "belong together"),
        (_no_image, ImageError, "a.tif", ""),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) and not isinstance(value, type) else "",
)
def test_bad_label_maps(
    demo_package: Path,
    tmp_path: Path,
    make: Callable[[Path], None],
    error: type[InstansegExportError],
    message: str,
    hint: str,
) -> None:
    make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error, match=message) as caught:
        evaluate(demo_package, tmp_path, tmp_path, output=tmp_path.parent / "report")
    assert hint in caught.value.hint
    assert str(tmp_path) in caught.value.message or make in (_empty, _binary)
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path.parent / "report").exists()


@pytest.mark.parametrize(
    ("text", "options", "error", "message"),
    [
        ("name,type\na,x\n", {"only": {"type": "x"}}, ImageError, "no column 'id'"),
        ("id,type\na,x\na,y\n", {"group_by": "type"}, ImageError, "line 3: the id 'a' is given twice"),
        ("id,type\n../a,x\n", {"group_by": "type"}, ImageError, "no name of a file"),
        ("id,kind\na,x\n", {"group_by": "kin"}, SettingError, "no column 'kin'"),
        ("id,kind\na,x\n", {"only": {"kind": "y"}}, SettingError, "no kind=y"),
        ("id,kind\na,x\nb,y\n", {"only": {"kind": "y"}}, ImageError, "No image is of kind=y"),
        ("id,kind\na,x\n", {"draw_by": "field"}, SettingError, "no column 'field'"),
    ],
)
def test_bad_indexes(
    demo_package: Path, tmp_path: Path, text: str, options: dict[str, object], error: type[Exception], message: str
) -> None:
    _index(tmp_path, text)
    with pytest.raises(error, match=message):
        evaluate(demo_package, tmp_path, tmp_path, **options)  # type: ignore[arg-type]


def test_a_file_that_fails_on_an_image_says_so_and_the_others_count(demo_package: Path, tmp_path: Path) -> None:
    """One image lacks a channel that is asked for; the other one has its figures."""
    random = np.random.default_rng(0)
    _write(tmp_path, LABELS, name="good.tif", pixels=random.integers(0, 255, (60, 80, 3), dtype=np.uint8))
    _write(tmp_path, LABELS, name="bad.tif", pixels=random.integers(0, 255, (60, 80), dtype=np.uint8))
    result = evaluate(demo_package, tmp_path, tmp_path, runtimes=["onnxruntime"], channels=[1, 2, 3], stability=0)
    assert not result.passed
    (file,) = result.data.files
    assert file.status == "failed"
    assert "1 of 2 images" in file.why
    assert "no channel '2'" in file.why
    rows = {row.image: row for row in result.data.per_image}
    assert rows["bad"].why
    assert not rows["bad"].scores
    assert result.data.scores_of("onnxruntime", "nuclei", ALL, "pooled").images == 1


def test_stability_of_volumes(tmp_path: Path) -> None:
    """Shifted in the plane, mirrored along all three axes, brighter and darker; never in tiles, and it says so."""
    checkpoint = load_checkpoint(write_volume_run(tmp_path / "run"))
    write_artifact("torchscript", build_forward(checkpoint), checkpoint, tmp_path / "instanseg.pt")
    volume = draw_spheres(3, 1, (24, 48, 56))[0].astype(np.uint16)
    tifffile.imwrite(tmp_path / "volume.tif", volume, photometric="minisblack", metadata={"axes": "ZYX"})
    found = run(tmp_path / "instanseg.pt", tmp_path / "volume.tif", output=tmp_path / "found")
    result = evaluate(tmp_path / "instanseg.pt", tmp_path / "volume.tif", found.labels, stability=1)
    stability = {row.kind: row for row in result.data.stability}
    count = int(tifffile.imread(found.labels).max())
    assert count > 3
    assert stability["mirror"].title == "mirrored along x, y and z"
    assert stability["mirror"].objects == 3 * count
    assert stability["brightness"].objects == 2 * count
    assert 0 < stability["shift"].objects < 3 * count, "those at the cut do not count"
    for kind in ("shift", "mirror", "brightness"):
        row = stability[kind]
        assert (row.images, row.why) == (1, "")
        assert row.kept_50.value is not None
        assert row.kept_90.value is not None
        assert row.kept_50.value >= row.kept_90.value
    assert (stability["brightness"].kept_50.value or 0) > 0.5, "intensities are normalised"
    assert stability["tiles"].why == "tiles are only compared of images"
    assert "mirrored along x, y and z" in render_html(result.data, (), ())


@pytest.mark.slow
def test_the_recorded_figures_of_the_demo(demo_package: Path, shared: Path) -> None:
    archive = shared / "data/dsb2018/dsb2018_train.zip"
    result = evaluate(demo_package, archive, archive, only={"split": "val"}, draw_by="group", stability=0)
    recorded = EvaluationData.model_validate_json((DEMO.parent / "evaluation.json").read_text(encoding="utf-8"))
    assert result.data.warnings == ()
    for field in ("source", "only", "iou", "drawn_by", "images", "scores", "per_image"):
        assert getattr(result.data, field) == getattr(recorded, field), field
