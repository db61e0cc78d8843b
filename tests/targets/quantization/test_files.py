"""Files of reduced precision: what they are, what they find, what they are refused for."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import tifffile
import yaml

from instanseg_export import (
    ExportError,
    ImageError,
    PackageError,
    ParityError,
    SettingError,
    UnknownNameError,
    export,
    inspect,
    load_checkpoint,
    read_image,
    validate,
)
from instanseg_export.api.export import ExportResult
from instanseg_export.api.inspect import ModelFacts
from instanseg_export.targets import require_metadata
from support.paths import DEMO, DEMO_IMAGES

FILES = {"fp16": "model.fp16.onnx", "int8": "model.int8.onnx"}

each_precision = pytest.mark.parametrize("precision", FILES)


def _rgb(path: Path) -> np.ndarray:
    image = read_image(path).array
    return np.repeat(image, 3, axis=0) if len(image) == 1 else image


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    """The demo in all precisions, calibrated and compared on its samples."""
    folder = tmp_path_factory.mktemp("precision") / "demo"
    return export(DEMO, targets=["onnx"], precision=["fp32", "fp16", "int8"], output=folder, validate=False)


def _session(path: Path) -> ort.InferenceSession:
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"])


@each_precision
def test_file_has_the_interface_of_the_fp32_file(result: ExportResult, precision: str) -> None:
    path = result.folder / FILES[precision]
    onnx.checker.check_model(path, full_check=True)
    plain, reduced = onnx.load(result.folder / "model.onnx"), onnx.load(path, load_external_data=False)
    assert not any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in reduced.graph.initializer)
    assert list(reduced.graph.input) == list(plain.graph.input)
    assert list(reduced.graph.output) == list(plain.graph.output)
    assert (reduced.ir_version, list(reduced.opset_import)) == (plain.ir_version, list(plain.opset_import))
    for kind in ("get_inputs", "get_outputs", "get_overridable_initializers"):
        described = [
            [(one.name, one.type, one.shape) for one in getattr(_session(file), kind)()]
            for file in (result.folder / "model.onnx", path)
        ]
        assert described[0] == described[1]
    expected, metadata = require_metadata(result.folder / "model.onnx"), require_metadata(path)
    assert metadata.precision == precision
    calibration = metadata.calibration
    own = {"precision": precision, "calibration": calibration, "graph_sha256": metadata.graph_sha256}
    assert metadata == expected.model_copy(update=own)
    assert (calibration is not None) == (precision == "int8")
    if calibration is not None:
        assert calibration.images == 2
        assert len(calibration.sha256) == 64
    assert path.stat().st_size < 0.65 * (result.folder / "model.onnx").stat().st_size


def _what(node: onnx.NodeProto) -> tuple[object, ...]:
    """What a node takes, gives and does, without empty fields and notes on shapes, which writers may drop."""
    graphs = [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
    rest = [one.SerializeToString() for one in node.attribute if one.type != onnx.AttributeProto.GRAPH]
    body = tuple(_what(inner) for graph in graphs for inner in graph.node)
    return node.op_type, node.domain, tuple(node.input), tuple(node.output), tuple(rest), body


@each_precision
def test_everything_outside_of_the_network_is_unchanged(result: ExportResult, precision: str) -> None:
    """And inside, all convolutions but the heads compute in the precision."""
    plain, reduced = onnx.load(result.folder / "model.onnx"), onnx.load(result.folder / FILES[precision])
    rest = {_what(node) for node in plain.graph.node if node.op_type != "Conv"}
    written = {_what(node) for node in reduced.graph.node}
    loops = [node for node in plain.graph.node if node.op_type in ("Loop", "Scan")]
    assert loops
    assert all(_what(node) in written for node in loops)
    assert len(rest & written) > 0.8 * len(rest)
    weights = {tensor.name: tensor for tensor in reduced.graph.initializer}
    sources = {output: node for node in reduced.graph.node for output in node.output}
    heads = 0
    for node in reduced.graph.node:
        if node.op_type != "Conv":
            continue
        if precision == "fp16":
            assert weights[node.input[1]].data_type == onnx.TensorProto.FLOAT16
        elif node.input[1] in weights:
            assert weights[node.input[1]].data_type == onnx.TensorProto.FLOAT
            heads += 1
        else:
            source = sources[node.input[1]]
            assert source.op_type == "DequantizeLinear"
            assert weights[source.input[0]].data_type == onnx.TensorProto.INT8
            assert weights[source.input[1]].dims == [weights[source.input[0]].dims[0]], "one scale per channel"
    # Three heads, once for each strip of rows.
    assert heads == (3 * 4 if precision == "int8" else 0)


@each_precision
def test_stages_and_settings_work(result: ExportResult, precision: str) -> None:
    model = onnx.load(result.folder / FILES[precision])
    stages = require_metadata(result.folder / FILES[precision]).stages
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in stages.values() if name.startswith("stage."))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    image = _rgb(DEMO_IMAGES / "histology.png")[None, :, :130, :117].astype(np.float32)
    names = list(stages.values())
    found = dict(zip(stages, session.run(names, {"image": image}), strict=True))
    assert found["network"].shape == (1, 5, 130, 117)
    assert found["network"].dtype == np.float32
    assert len(found["seeds"]) > 3
    fewer = session.run(["instance_segmentation"], {"image": image, "min_size": np.array(10**6)})[0]
    assert not fewer.any()
    # Sizes that no calibration image has, and nothing to be found.
    for shape in ((2, 3, 1, 1), (1, 3, 33, 16)):
        labels = session.run(["instance_segmentation"], {"image": np.zeros(shape, np.float32)})[0]
        assert labels.shape == (shape[0], 1, *shape[2:])


def test_package_has_the_files_and_the_figures(result: ExportResult) -> None:
    records = {record.precision: record for record in result.precisions if not record.runtime}
    assert list(records) == ["fp16", "int8"]
    assert {record.status for record in records.values()} == {"passed"}
    fp16, int8 = records["fp16"], records["int8"]
    assert fp16.fp32_instances == int8.fp32_instances > 50
    assert fp16.matched == fp16.fp32_instances, "fp16 finds every instance"
    assert int8.matched_share is not None
    assert int8.matched_share > 0.97
    assert int8.agreement is not None
    assert fp16.agreement is not None
    assert 0.9 < int8.agreement.f1_mu < fp16.agreement.f1_mu <= 1
    assert int8.score is None
    assert int8.delta_f1_mu is None

    rdf = yaml.safe_load((result.folder / "rdf.yaml").read_text())
    assert rdf["weights"].keys() == {"onnx"}
    assert rdf["weights"]["onnx"]["source"] == "model.onnx"
    hashes = {entry["source"]: entry["sha256"] for entry in rdf["attachments"]}
    assert {name: hashes[name] for name in FILES.values()} == {one.file: one.sha256 for one in records.values()}
    with zipfile.ZipFile(result.zip) as archive:
        assert set(FILES.values()) <= set(archive.namelist())
    readme = (result.folder / "nuclei_dsb2018_README.md").read_text()
    assert "### Reduced precision" in readme
    found = f"Instances (fp32): {int8.instances} ({int8.fp32_instances})"
    assert f"- `model.int8.onnx`\n  - Result: ✓ passed\n  - Images: 2\n  - {found}\n" in readme
    alone, whole = inspect(result.folder / "model.int8.onnx"), inspect(result.folder)
    assert isinstance(alone, ModelFacts)
    assert isinstance(whole, ModelFacts)
    assert alone.precision == "int8"
    assert whole.files == {
        "onnx": "model.onnx",
        "onnx-fp16": "model.fp16.onnx",
        "onnx-int8": "model.int8.onnx",
    }


def test_report_has_a_table_of_its_own_for_precisions(result: ExportResult, tmp_path: Path) -> None:
    report = validate(result.folder)
    assert report.passed, report.summary()
    assert {runtime.model_sha256 for runtime in report.runtimes if runtime.status == "passed"} == {
        result.artifacts[0].sha256
    }
    assert {record.precision: record.matched for record in report.precisions} == {
        record.precision: record.matched for record in result.precisions
    }
    report.write(tmp_path)
    for name in ("report.md", "report.html"):
        text = (tmp_path / name).read_text()
        assert "Reduced precision" in text
        assert "fp32&#x27;s labels as reference" in text or "fp32's labels as reference" in text
    with pytest.raises(PackageError, match="is of int8") as caught:
        validate(result.folder / "model.int8.onnx")
    assert "whole package" in caught.value.hint


@pytest.mark.slow
def test_what_loses_cells_is_refused_and_can_be_allowed(result: ExportResult, tmp_path: Path) -> None:
    """Calibrated on an image of faint noise alone, the ranges are too narrow for any cell."""
    images, labelled = tmp_path / "noise", tmp_path / "labelled"
    images.mkdir()
    labelled.mkdir()
    noise = np.random.default_rng(0).random((3, 96, 96), dtype=np.float32) * 0.05
    tifffile.imwrite(images / "noise.tif", noise, photometric="minisblack")
    picture = _rgb(DEMO_IMAGES / "histology.png")
    tifffile.imwrite(labelled / "a.tif", picture, photometric="minisblack", metadata={"axes": "CYX"})
    session = _session(result.folder / "model.onnx")
    truth = session.run(None, {"image": picture[None].astype(np.float32)})[0][0]
    tifffile.imwrite(labelled / "a-labels.tif", truth.astype(np.uint16))

    options: dict[str, Any] = {
        "targets": ["onnx"],
        "precision": ["int8"],
        "calibrate": images,
        "labelled": labelled,
        "validate": False,
    }
    with pytest.raises(
        ParityError, match=r"model.int8.onnx loses too much: F1µ .* falls from 1\.0000 to 0\.\d{4}"
    ) as caught:
        export(DEMO, output=tmp_path / "refused", **options)
    assert "--calibrate" in caught.value.hint
    assert "--allow-loss" in caught.value.hint
    assert not (tmp_path / "refused").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]

    allowed = export(DEMO, output=tmp_path / "allowed", allow_loss=True, **options)
    record = allowed.precisions[0]
    assert record.status == "failed"
    assert record.delta_f1_mu is not None
    assert record.delta_f1_mu < -0.005
    assert record.fp32_score is not None
    assert record.fp32_score.f1_mu == 1
    assert "loses more than the tolerance" in (allowed.folder / "nuclei_dsb2018_README.md").read_text()


def _empty(folder: Path) -> dict[str, object]:
    return {"calibrate": folder}


def _only_text(folder: Path) -> dict[str, object]:
    (folder / "notes.txt").write_text("nothing")
    return {"calibrate": folder}


def _grey(folder: Path) -> dict[str, object]:
    tifffile.imwrite(folder / "grey.tif", np.zeros((9, 9), np.uint8))
    return {"calibrate": folder}


def _blank(folder: Path) -> dict[str, object]:
    tifffile.imwrite(folder / "blank.tif", np.zeros((9, 9, 3), np.uint8), photometric="rgb")
    return {"calibrate": folder}


def _damaged(folder: Path) -> dict[str, object]:
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return {"calibrate": folder}


def _unlabelled(folder: Path) -> dict[str, object]:
    tifffile.imwrite(folder / "a.tif", np.ones((9, 9, 3), np.uint8), photometric="rgb")
    return {"labelled": folder}


def _labels_of_another_size(folder: Path) -> dict[str, object]:
    _unlabelled(folder)
    tifffile.imwrite(folder / "a-labels.tif", np.ones((9, 8), np.uint8))
    return {"labelled": folder}


def _labels_that_are_none(folder: Path) -> dict[str, object]:
    _unlabelled(folder)
    tifffile.imwrite(folder / "a-labels.tif", np.full((9, 9), 0.5, np.float32))
    return {"labelled": folder}


@pytest.mark.parametrize(
    ("arguments", "error", "message", "hint"),
    [
        ({"precision": ["int4"]}, UnknownNameError, "'int4'", "Did you mean 'int8'"),
        ({"targets": ["torchscript"]}, ExportError, "made from the ONNX file", "Add onnx to --targets"),
        ({"precision": ["fp32"], "calibrate": DEMO_IMAGES}, SettingError, "no effect on fp32", "--precision"),
        ({"calibrate": "nowhere"}, ImageError, "nowhere does not exist", "folder of images"),
        ({"calibrate": DEMO}, ImageError, "is a file, not a folder", "folder of images"),
        (_empty, ImageError, "holds no image", "folder of images"),
        (_only_text, ImageError, "holds no image", "folder of images"),
        (_grey, ImageError, "grey.tif has 1 channels, but the model takes 3", "3 channels"),
        (_blank, ImageError, "show nothing", "of the kind"),
        (_damaged, ImageError, "a.png", ""),
        (_unlabelled, ImageError, "a.tif has no label map", "a-labels|labels"),
        (_labels_of_another_size, ImageError, "9 x 8 pixels, but its image a.tif has 9 x 9", "height and width"),
        (_labels_that_are_none, ImageError, "a-labels.tif is no label map", "whole numbers"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) and not isinstance(value, type) else "",
)
def test_bad_input(tmp_path: Path, arguments: object, error: type[Exception], message: str, hint: str) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    given = arguments(folder) if callable(arguments) else arguments
    assert isinstance(given, dict)
    with pytest.raises(error, match=message) as caught:
        export(DEMO, output=tmp_path / "out", **{"targets": ["onnx"], "precision": ["int8"], **given})
    pattern = hint.split("|")
    assert any(word in caught.value.hint for word in pattern)  # type: ignore[attr-defined]
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


@pytest.mark.parametrize("variant", ["nuclei_cells_channelnet", "multihead_seeds2_coords4"])
@pytest.mark.slow
def test_other_networks_are_converted_too(shared: Path, tmp_path: Path, variant: str) -> None:
    checkpoint = load_checkpoint(shared / "checkpoints" / variant)
    made = export(checkpoint, targets=["onnx"], precision=["fp16", "int8"], output=tmp_path / "out", validate=False)
    assert [record.precision for record in made.precisions if not record.runtime] == ["fp16", "int8"]
    for record in made.precisions:
        assert record.status == "passed", record


@pytest.mark.slow
def test_nothing_is_lost_on_real_labelled_images(shared: Path, tmp_path: Path) -> None:
    """The validation split of the demo's data."""
    folder = tmp_path / "val"
    with zipfile.ZipFile(shared / "data/dsb2018/dsb2018_train.zip") as archive:
        rows = list(csv.DictReader(archive.read("index.csv").decode().splitlines()))
        for kind in ("images", "labels"):
            (folder / kind).mkdir(parents=True)
        for row in rows:
            if row["split"] == "val":
                for kind in ("images", "labels"):
                    (folder / kind / f"{row['id']}.png").write_bytes(archive.read(f"{kind}/{row['id']}.png"))
    for path in (folder / "images").iterdir():
        image = _rgb(path)
        path.unlink()
        tifffile.imwrite(path.with_suffix(".tif"), image, photometric="minisblack", metadata={"axes": "CYX"})
    made = export(
        DEMO, targets=["onnx"], precision=["fp16", "int8"], labelled=folder, output=tmp_path / "out", validate=False
    )
    for record in made.precisions:
        assert record.labelled_images == 70
        assert record.fp32_score is not None
        assert record.delta_f1_mu is not None
        assert record.delta_f1_50 is not None
        assert record.fp32_score.f1_50 > 0.7
        assert abs(record.delta_f1_mu) <= 0.005
        assert abs(record.delta_f1_50) <= 0.01
    (tmp_path / "record.json").write_text(json.dumps([record.model_dump(mode="json") for record in made.precisions]))
