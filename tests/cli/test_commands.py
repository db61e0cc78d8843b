"""The commands on real models and images: what they print, write and return."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from instanseg_export import doctor, read_image, run
from instanseg_export.files import MARKER
from instanseg_export.targets import read_metadata
from instanseg_export.targets.onnx.embedded import with_metadata
from support.paths import DEMO, DEMO_IMAGES, ROOT
from support.processes import SOURCE

IMAGES = sorted(DEMO_IMAGES.iterdir())
Done = subprocess.CompletedProcess
Command = Callable[..., Done[str]]


def _as_rgb_tiff(source: Path, path: Path, pixel_size: float | None = None, step: int = 1) -> Path:
    array = read_image(source).array
    array = np.repeat(array, 3, axis=0) if array.shape[0] == 1 else array
    array = array.repeat(step, axis=1).repeat(step, axis=2)
    resolution = None if pixel_size is None else (1e4 / pixel_size, 1e4 / pixel_size)
    tifffile.imwrite(
        path, np.moveaxis(array, 0, -1), photometric="rgb", resolution=resolution, resolutionunit="CENTIMETER"
    )
    return path


def _zip(package: Path) -> Path:
    return package / f"{package.name}.zip"


# Export


def test_export_says_what_it_wrote_how_it_compared_and_what_is_next(demo_export: tuple[Path, Done[str]]) -> None:
    folder, done = demo_export
    for words in ("instanseg.pt", "model.onnx", "nuclei_dsb2018.zip", "MB", "Compared on", "passed", "Next: "):
        assert words in done.stdout, done.stdout
    assert "failed" not in done.stdout
    assert all(line.startswith("[") for line in done.stderr.splitlines()), "only progress, as lines, goes to stderr"
    assert sorted(path.name for path in folder.iterdir()) == ["model_zoo", "nuclei_dsb2018"]


def test_export_as_json_with_settings_and_over_an_old_one(command: Command, tmp_path: Path) -> None:
    more = ("--targets", "torchscript", "--output", "out", "--no-validate")
    done = command(DEMO, *more, "--set", "seed_threshold=0.6", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["agreed"] is None
    assert [artifact["target"] for artifact in document["artifacts"]] == ["torchscript"]
    assert (tmp_path / document["folder"]).resolve() == tmp_path / "out"
    inspected = json.loads(command("inspect", "out", "--json").stdout)
    assert inspected["settings"]["seed_threshold"] == 0.6
    again = command(DEMO, *more, "--overwrite", "--quiet")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    inspected = json.loads(command("inspect", "out", "--json").stdout)
    assert inspected["settings"]["seed_threshold"] == 0.7, "an overwritten package keeps nothing of the old one"


def test_export_with_augmentation_says_so_and_keeps_it(
    command: Command, refused: Callable[..., None], tmp_path: Path
) -> None:
    done = command(DEMO, "--tta", "--targets", "torchscript", "--output", "out", "--no-validate", "--quiet")
    assert done.returncode == 0, done.stderr
    assert json.loads(command("inspect", "out", "--json").stdout)["settings"]["tta"] is True
    refused(
        command("run", "out", IMAGES[-1], "--set", "tta=false", "--runtime", "torchscript"),
        "instanseg.pt has tta fixed at export",
        "Export again with --set",
    )
    refused(command(DEMO, "--tta", "--set", "tta=false", "--output", "twice"), "asked for twice", "Give either")
    assert not (tmp_path / "twice").exists()


# Inspect


@pytest.mark.parametrize("name", ["checkpoint", "folder", "instanseg.pt", "model.onnx", "zip"])
def test_inspect(command: Command, demo_package: Path, name: str) -> None:
    path = {"checkpoint": DEMO, "folder": demo_package, "zip": _zip(demo_package)}.get(name)
    path = path or demo_package / name
    done = command("inspect", path)
    assert done.returncode == 0, done.stderr
    for words in ("nuclei", "3", "instanseg", "Next: "):
        assert words in done.stdout, done.stdout
    document = json.loads(command("inspect", path, "--json").stdout)
    assert document["spec"]["structures"] == ["nuclei"]
    assert document["spec"]["channels"] == 3
    if name == "checkpoint":
        assert document["parameters"] > 10_000
        assert document["gflop_per_megapixel"] > 0
        assert {"torchscript", "onnx", "exported_program"} <= set(document["exports_to"])


@pytest.mark.parametrize("variant", ["nuclei_batchnorm", "nuclei_cells_channelnet", "multihead_seeds2_coords4"])
def test_inspect_training_runs(command: Command, shared: Path, variant: str) -> None:
    document = json.loads(command("inspect", shared / "checkpoints" / variant, "--json").stdout)
    expected = ["nuclei", "cells"] if "cells" in variant else ["nuclei"]
    assert document["spec"]["structures"] == expected
    assert document["spec"]["channels"] == (None if "channelnet" in variant else 3)


# Validate


def test_validate_passes_and_writes_its_report(command: Command, demo_package: Path, tmp_path: Path) -> None:
    image = _as_rgb_tiff(IMAGES[0], tmp_path / "image.tif")
    some = ("validate", demo_package, "--images", image, "--runtimes", "torchscript", "onnxruntime")
    done = command(*some, "--output", "report", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["agreed"] is True
    assert {runtime["name"]: runtime["status"] for runtime in document["runtimes"]}["onnxruntime"] == "passed"
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        "report.json",
        "report.md",
        "report.html",
        "junit.xml",
        "summary.md",
        MARKER,
    }
    again = command(*some, "--baseline", "report/report.json")
    assert again.returncode == 0, again.stderr
    assert "As in the baseline of" in again.stdout
    content = json.loads((tmp_path / "report/report.json").read_text())
    for cell in content["cells"]:
        cell["instances"] = None if cell["instances"] is None else cell["instances"] + 1
    (tmp_path / "other.json").write_text(json.dumps(content))
    drifted = command(*some, "--baseline", "other.json")
    assert drifted.returncode == 1
    assert "Drifted from the baseline" in drifted.stdout
    assert "ONNX Runtime" in drifted.stdout.partition("Drifted from the baseline")[2]


def test_validate_fails_where_runtimes_disagree(command: Command, demo_package: Path, tmp_path: Path) -> None:
    """A package whose ONNX file was exported with another threshold."""
    import onnx
    from onnx import numpy_helper

    package = tmp_path / "package"
    shutil.copytree(demo_package, package)
    model = onnx.load(package / "model.onnx")
    (threshold,) = [tensor for tensor in model.graph.initializer if tensor.name == "mask_threshold"]
    threshold.CopyFrom(numpy_helper.from_array(np.array(0.9, np.float32), "mask_threshold"))
    metadata = read_metadata(demo_package / "model.onnx")
    assert metadata is not None
    (package / "model.onnx").write_bytes(with_metadata(model, metadata))
    image = _as_rgb_tiff(IMAGES[0], tmp_path / "image.tif")
    done = command("validate", package, "--images", image, "--runtimes", "torchscript", "onnxruntime")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "failed" in done.stdout


# Export for servers


def test_export_server_says_what_it_wrote_and_what_is_next(
    command: Command, demo_package: Path, tmp_path: Path
) -> None:
    done = command("export-server", _zip(demo_package), "--output", "server")
    assert done.returncode == 0, done.stderr
    assert f"tritonserver --model-repository {tmp_path / 'server/triton'}" in done.stdout
    assert "python server/http/server.py" in done.stdout
    assert (tmp_path / "server/triton/nuclei_dsb2018/1/model.onnx").read_bytes() == (
        demo_package / "model.onnx"
    ).read_bytes()
    document = json.loads(
        command(
            "export-server", demo_package, "--kinds", "triton", "--output", "server", "--overwrite", "--json"
        ).stdout
    )
    assert document == {"folder": "server", "kinds": ["triton"], "models": ["nuclei_dsb2018"]}
    assert not (tmp_path / "server/http").exists()


# Run


@pytest.mark.parametrize("name", ["folder", "instanseg.pt", "model.onnx", "zip"])
def test_run_finds_the_same_cells_with_every_form_of_the_model(
    command: Command, demo_package: Path, tmp_path: Path, name: str
) -> None:
    image = _as_rgb_tiff(IMAGES[0], tmp_path / "image.ome.tif")
    reference = run(demo_package, image, output=tmp_path / "reference", runtime="torchscript")
    model = {"folder": demo_package, "zip": _zip(demo_package)}.get(name) or demo_package / name
    done = command("run", model, image, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    labels = tifffile.imread(tmp_path / "image_labels.tif")
    assert labels.shape == read_image(image).array.shape[1:]
    assert document["found"][0]["structure"] == "nuclei"
    assert document["found"][0]["instances"] == len(np.unique(labels)) - 1 > 5
    expected = tifffile.imread(reference.labels)
    assert (labels != expected).mean() <= 1e-5
    assert document["found"][0]["instances"] == reference.found[0].instances
    with Pillow.open(tmp_path / "image_overlay.png") as picture:
        overlay = np.asarray(picture)
    assert overlay.shape == (*labels.shape, 3)


def test_run_for_people(command: Command, demo_package: Path, tmp_path: Path) -> None:
    image = _as_rgb_tiff(IMAGES[0], tmp_path / "image.tif", pixel_size=0.5)
    done = command("run", demo_package, image, "--output", "results")
    assert done.returncode == 0, done.stderr
    for words in ("nuclei", "median area", "image_labels.tif", "image_overlay.png"):
        assert words in done.stdout
    assert read_image(tmp_path / "results/image_labels.tif").pixel_size == pytest.approx((0.5, 0.5), rel=1e-3)


def test_settings_and_channels_have_their_effect(demo_package: Path, tmp_path: Path) -> None:
    array = read_image(IMAGES[0]).array[:1]
    tifffile.imwrite(tmp_path / "grey.tif", array[0])
    few, many = (
        run(
            demo_package,
            tmp_path / "grey.tif",
            channels=[1, 1, 1],
            settings={"min_size": size},
            output=tmp_path / str(size),
        )
        for size in (150, 0)
    )
    assert few.found[0].instances < many.found[0].instances
    _, areas = np.unique(tifffile.imread(few.labels), return_counts=True)
    assert areas[1:].min() >= 150


def test_pixel_size_brings_the_image_to_the_model_and_the_labels_back(demo_package: Path, tmp_path: Path) -> None:
    """A twice magnified image gives the same cells as the image itself when its pixel size says so."""
    plain = run(demo_package, _as_rgb_tiff(IMAGES[0], tmp_path / "plain.tif", 0.5), output=tmp_path / "a")
    large = run(demo_package, _as_rgb_tiff(IMAGES[0], tmp_path / "large.tif", 0.25, step=2), output=tmp_path / "b")
    assert plain.model_pixel_size == 0.5
    assert (plain.resampled, large.resampled) == (False, True)
    expected, found = tifffile.imread(plain.labels), tifffile.imread(large.labels)
    assert found.shape == tuple(2 * length for length in expected.shape)
    assert ((expected > 0) == (found[::2, ::2] > 0)).mean() > 0.98
    assert large.found[0].instances == pytest.approx(plain.found[0].instances, rel=0.1)
    assert large.found[0].median_area_um2 == pytest.approx(plain.found[0].median_area_um2, rel=0.1)
    forced = run(demo_package, tmp_path / "plain.tif", pixel_size=0.25, output=tmp_path / "c")
    assert forced.resampled
    assert forced.pixel_size == (0.25, 0.25)


def test_run_with_two_structures_and_any_channels(
    command: Command, exported: Callable[[str], Path], shared: Path, tmp_path: Path
) -> None:
    model = exported("nuclei_cells_channelnet")
    image = shared / "data/multiplex/FIHC4_2_component_data.tif"
    done = command("run", model, image, "--json")
    assert done.returncode == 0, done.stderr
    assert [found["structure"] for found in json.loads(done.stdout)["found"]] == ["nuclei", "cells"]
    labels = tifffile.imread(tmp_path / "FIHC4_2_component_data_labels.tif")
    assert labels.shape == (2, 260, 348)
    assert set(np.unique(labels[0])) <= set(np.unique(labels[1])), "a nucleus has its cell's id"
    one = run(model, image, channels=["DAPI"], output=tmp_path / "one")
    assert one.found[0].instances > 0
    only = {"target_segmentation": (1, 0)}
    nuclei = run(model, image, settings=only, runtime="torchscript", output=tmp_path / "nuclei")
    assert [found.structure for found in nuclei.found] == ["nuclei"]


# Doctor


def test_doctor(command: Command) -> None:
    done = command("doctor")
    assert done.returncode == 0, done.stderr
    findings = json.loads(command("doctor", "--json").stdout)["findings"]
    by_name = {(finding["group"], finding["name"]): finding for finding in findings}
    for key in (
        ("system", "Python"),
        ("library", "torch"),
        ("device", "cpu"),
        ("target", "onnx"),
        ("runtime", "onnxruntime"),
    ):
        assert by_name[key]["state"] == "ok", by_name[key]
        assert key[1] in done.stdout
    assert all(finding["remedy"] for finding in findings if finding["state"] != "ok")


def test_doctor_lists_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = {finding.name for finding in doctor() if finding.group == "extra"}
    assert listed == set(project["optional-dependencies"])


def test_doctor_names_a_missing_runtime_and_its_remedy(command: Command, tmp_path: Path) -> None:
    """A module that cannot be imported is one that is not installed."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, package=None: name != 'onnxruntime' and find(name, package) or None\n"
    )
    findings = json.loads(command("doctor", "--json", PYTHONPATH=f"{hidden}:{SOURCE}").stdout)["findings"]
    (runtime,) = [one for one in findings if (one["group"], one["name"]) == ("runtime", "onnxruntime")]
    assert runtime["state"] == "missing"
    assert "pip install" in runtime["remedy"]
