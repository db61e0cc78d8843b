"""``instanseg-export evaluate`` as users run it: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from instanseg_export.files import MARKER

Done = subprocess.CompletedProcess
Command = Callable[..., Done[str]]
Refused = Callable[..., None]

MISSED, FALSE = 4, 3


@pytest.fixture(scope="module")
def labelled(demo_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's two samples with label maps in which the demo misses four objects of each and finds three too many.

    They are what the demo finds, with three objects taken away and four drawn where it finds nothing.
    """
    folder = tmp_path_factory.mktemp("labelled")
    for kind in ("fluorescence", "histology"):
        for part in ("images", "labels"):
            (folder / part / kind).mkdir(parents=True)
        shutil.copy(demo_package / f"sample-{kind}.tif", folder / "images" / kind / "one.tif")
        found: NDArray[np.int32] = tifffile.imread(demo_package / f"sample-{kind}-labels.tif").astype(np.int32)
        truth = np.where(np.isin(found, np.unique(found)[1 : 1 + FALSE]), 0, found)
        free = np.argwhere(found == 0)[:: max(1, (found == 0).sum() // 200)]
        added = 0
        for y, x in free.tolist():
            box = slice(y, y + 3), slice(x, x + 3)
            if added < MISSED and found[box].shape == (3, 3) and not found[box].any() and not (truth[box] > 0).any():
                added += 1
                truth[box] = truth.max() + 1
        assert added == MISSED
        Image.fromarray(truth.astype(np.uint16)).save(folder / "labels" / kind / "one.png")
    return folder


def counts(folder: Path) -> dict[str, tuple[int, int, int]]:
    """True, found and matched instances by image, as they must be."""
    result = {}
    for kind in ("fluorescence", "histology"):
        truth = np.asarray(Image.open(folder / "labels" / kind / "one.png"))
        true = len(np.unique(truth)) - 1
        result[f"{kind}/one"] = (true, true - MISSED + FALSE, true - MISSED)
    return result


def test_tables_and_files(command: Command, demo_package: Path, labelled: Path, tmp_path: Path) -> None:
    words = ("evaluate", demo_package, labelled, labelled, "--runtimes", "onnxruntime", "torchscript")
    done = command(*words, "--stability", "1", "--output", "report")
    assert done.returncode == 0, done.stderr
    for word in (
        "ONNX Runtime, fp32",
        "TorchScript, fp32",
        "pooled",
        "mean of images",
        "F1µ",
        "histology",
        "shifted by",
    ):
        assert word in done.stdout, done.stdout
    assert "Warning" not in done.stdout
    assert all(line.startswith("[") for line in done.stderr.splitlines()), "only progress goes to stderr"
    report = tmp_path / "report"
    assert {path.name for path in report.iterdir()} == {
        MARKER,
        "evaluation.html",
        "evaluation.json",
        "f1_over_iou.svg",
        "f1_over_iou_by_file.svg",
        "images.csv",
        "objects.csv",
        "scores.csv",
        "size_against_iou.svg",
    }
    expected = counts(labelled)
    with (report / "images.csv").open(encoding="utf-8") as stream:
        images = list(csv.DictReader(stream))
    assert len(images) == 4
    for row in images:
        assert (int(row["true"]), int(row["found"]), int(row["matched"])) == expected[row["image"]]
        assert float(row["sq"]) == 1
        assert row["group"] == row["image"].partition("/")[0]
    true, found, matched = (sum(one[place] for one in expected.values()) for place in range(3))
    with (report / "scores.csv").open(encoding="utf-8") as stream:
        pooled = [row for row in csv.DictReader(stream) if row["group"] == "" and row["how"] == "pooled"]
    assert [float(row["f1"]) for row in pooled] == pytest.approx([2 * matched / (true + found)] * 2, rel=1e-5)
    with (report / "objects.csv").open(encoding="utf-8") as stream:
        kinds = [row["kind"] for row in csv.DictReader(stream) if row["file"] == "onnxruntime"]
    assert {kind: kinds.count(kind) for kind in kinds} == {"found": matched, "missed": 2 * MISSED, "false": 2 * FALSE}
    document = json.loads((report / "evaluation.json").read_text())
    (difference,) = (
        row
        for row in document["differences"]
        if (row["group"], row["how"], row["file"]) == ("", "pooled", "torchscript")
    )
    assert difference["scores"]["f1"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    stability = {row["kind"]: row for row in document["stability"]}
    assert stability["shift"]["kept_50"]["value"] > 0.9
    assert "no image is larger" in stability["tiles"]["why"]
    page = (report / "evaluation.html").read_text()
    assert page.count("<svg") == 3
    assert page.count("data:image/png") == 4
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    again = command(*words, "--output", "report")
    assert (again.returncode, "exists already" in again.stderr) == (2, True)


def test_json_of_a_zip_with_an_index(command: Command, demo_package: Path, labelled: Path, tmp_path: Path) -> None:
    rows = ["id,type,field,split", "a,fluorescence,f1,val", "b,histology,f2,val", "c,histology,f2,train"]
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("index.csv", "\n".join(rows) + "\n")
        for name, kind in (("a", "fluorescence"), ("b", "histology"), ("c", "histology")):
            archive.write(labelled / "images" / kind / "one.tif", f"images/{name}.tif")
            archive.write(labelled / "labels" / kind / "one.png", f"labels/{name}.png")
    words = ("evaluate", demo_package, "data.zip", "data.zip", "--json", "--quiet", "--stability", "0")
    done = command(*words, "--only", "split=val", "--draw-by", "field", "--iou", "0.7", "--runtimes", "onnxruntime")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert [(one["name"], one["group"], one["unit"]) for one in document["images"]] == [
        ("a", "fluorescence", "f1"),
        ("b", "histology", "f2"),
    ]
    assert {row["group"] for row in document["scores"]} == {"", "fluorescence", "histology"}
    assert (document["iou"], document["grouped_by"], document["drawn_by"]) == (0.7, "type", "field")
    assert document["stability"] == []
    assert {path.name for path in tmp_path.iterdir()} == {"data.zip"}


def test_a_grey_image_and_shifted_labels(command: Command, demo_package: Path, labelled: Path, tmp_path: Path) -> None:
    pixels = tifffile.imread(labelled / "images/fluorescence/one.tif")
    grey = pixels[..., 0] if pixels.shape[-1] == 3 else pixels[0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    truth = np.asarray(Image.open(labelled / "labels/fluorescence/one.png"))
    Image.fromarray(np.roll(truth, (3, -4), axis=(0, 1))).save(tmp_path / "truth.png")
    done = command("evaluate", demo_package, "grey.png", "truth.png", "--runtimes", "onnxruntime", "--stability", "0")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 images are grey" in done.stdout
    assert "Warning: The label maps seem to be shifted by 3 pixels down and 4 pixels to the left" in done.stdout


def test_refusals(command: Command, refused: Refused, demo_package: Path, labelled: Path, tmp_path: Path) -> None:
    images, labels = labelled / "images", labelled / "labels"
    refused(command("evaluate", "nowhere", images, labels), "There is no file or folder nowhere")
    refused(command("evaluate", demo_package, images), "evaluate needs", "LABELS")
    refused(command("evaluate", demo_package, images, "nowhere"), "There is no file or folder nowhere")
    refused(command("evaluate", demo_package, images, labels / "histology/one.png"), "no label map")
    refused(command("evaluate", demo_package, images, labels, "--only", "split=val"), "no index.csv", "--index")
    refused(
        command("evaluate", demo_package, images, labels, "--runtimes", "onnxruntim"), "Did you mean 'onnxruntime'?"
    )
    refused(command("evaluate", demo_package, images, labels, "--precision", "int4"), "int4", "fp32, fp16, int8")
    refused(command("evaluate", demo_package, images, labels, "--precision", "int8"), "int8")
    refused(command("evaluate", demo_package, images, labels, "--structure", "cell"), "finds no 'cell'", "nuclei")
    refused(command("evaluate", demo_package, images, labels, "--iou", "1.5"), "1.5 is no IoU")
    refused(command("evaluat", demo_package, images, labels), "Did you mean 'evaluate'?")
    assert list(tmp_path.iterdir()) == []
