"""An artefact that is a folder goes the way of one that is a file; what a format cannot do is said in words."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

import instanseg_export.registry as registry
from instanseg_export import export, inspect, run, validate
from instanseg_export.api.export import ExportResult
from instanseg_export.api.inspect import ModelFacts
from instanseg_export.errors import ExportError, ImageError, OutputError, PackageError, SettingError
from instanseg_export.files import sha256_of, size_of
from instanseg_export.images.named import NamedImage
from instanseg_export.runtimes.process import run_runtime
from instanseg_export.runtimes.registry import find_runtime
from instanseg_export.targets import TARGETS, read_metadata, require_metadata, target_of, write_artifact
from instanseg_export.targets.settings import is_fixed
from instanseg_export.testing.small_forward import SmallForward, small_checkpoint
from support.folder_target import SIZE, FolderTarget, write_runtime
from support.paths import DEMO, DEMO_IMAGES

FLAGS = ("overridable", "dynamic_shapes", "exposes_stages", "open_loops")


class Point:
    """An entry point."""

    def __init__(self, member: Any) -> None:
        self.name = member.name
        self.member = member

    def load(self) -> Any:
        return self.member


@pytest.fixture(scope="module", autouse=True)
def targets() -> Iterator[list[Point]]:
    """Targets that other packages add, while these tests run."""
    points = [Point(FolderTarget())]
    installed = registry.members_of_others
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            registry,
            "members_of_others",
            lambda group: points if group == "instanseg_export.targets" else installed(group),
        )
        yield points


@pytest.fixture(params=[False, True], ids=["flags off", "flags on"])
def able(request: pytest.FixtureRequest, targets: list[Point]) -> Iterator[bool]:
    """Whether the format can do all that a format may promise."""
    before = targets[0].member
    targets[0].member = replace(before, **dict.fromkeys(FLAGS, request.param), traces=not request.param)
    yield request.param
    targets[0].member = before


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    """The demo as a file and as a folder."""
    output = tmp_path_factory.mktemp("folders") / "demo"
    return export(DEMO, targets=["torchscript", "folder"], output=output, validate=False)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_runtime(tmp_path_factory.mktemp("runtimes") / "folder"))


def facts_of(path: Path) -> ModelFacts:
    facts = inspect(path)
    assert isinstance(facts, ModelFacts)
    return facts


def test_a_folder_is_packaged_file_by_file(result: ExportResult, tmp_path: Path) -> None:
    artifact = result.artifacts[1]
    assert (artifact.target, artifact.path) == ("folder", result.folder / "model.bundle")
    assert (artifact.sha256, artifact.size) == (sha256_of(artifact.path), size_of(artifact.path))
    assert artifact.size == sum((artifact.path / name).stat().st_size for name in ("metadata.json", "Data/module.pt"))
    rdf = yaml.safe_load((result.folder / "rdf.yaml").read_text())
    assert rdf["weights"].keys() == {"torchscript"}
    hashes = {entry["source"]: entry["sha256"] for entry in rdf["attachments"]}
    for name in ("model.bundle/Data/module.pt", "model.bundle/metadata.json"):
        assert hashes[name] == sha256_of(result.folder / name)
    with zipfile.ZipFile(result.zip) as archive:
        assert {"model.bundle/", "model.bundle/Data/", "model.bundle/Data/module.pt"} <= set(archive.namelist())
        archive.extractall(tmp_path)
    assert sha256_of(tmp_path / "model.bundle") == artifact.sha256


def test_a_folder_is_found_alone_in_a_package_and_in_its_zip(result: ExportResult, tmp_path: Path) -> None:
    both = {"torchscript": "instanseg.pt", "folder": "model.bundle"}
    assert facts_of(result.folder).files == facts_of(result.zip).files == both
    alone = shutil.copytree(result.folder / "model.bundle", tmp_path / "renamed.bundle")
    facts = facts_of(alone)
    assert facts.files == {"folder": "renamed.bundle"}
    assert facts.spec["name"] == "nuclei_dsb2018"
    assert require_metadata(alone).target == "folder"


@pytest.mark.parametrize("change", ["other", "missing", "added"])
def test_a_folder_that_is_not_what_was_packaged_is_told(result: ExportResult, tmp_path: Path, change: str) -> None:
    package = shutil.copytree(result.folder, tmp_path / "package")
    assert facts_of(package).changed == facts_of(package / "model.bundle").changed == ()
    module = package / "model.bundle" / "Data" / "module.pt"
    if change == "missing":
        module.unlink()
    else:
        (module if change == "other" else module.with_name("more")).write_bytes(b"something else")
    assert facts_of(package).changed == facts_of(package / "model.bundle").changed == ("model.bundle",)


def test_the_hash_of_a_folder_is_that_of_names_and_contents(tmp_path: Path) -> None:
    def make(name: str, files: dict[str, bytes]) -> Path:
        for place, content in files.items():
            (tmp_path / name / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / place).write_bytes(content)
        return tmp_path / name

    files = {"a": b"1", "b/c": b"2", "b.d": b"3"}
    first = make("first", files)
    same = make("same", dict(reversed(files.items())))
    os.utime(same / "a", (0, 0))
    (same / "a").chmod(0o600)
    (same / "empty").mkdir()
    assert sha256_of(same) == sha256_of(first)
    others = [
        {**files, "a": b"9"},
        {"a": b"1", "b/c": b"2"},
        {**files, "e": b""},
        {"a": b"2", "b/c": b"1", "b.d": b"3"},
        {"x": b"1", "b/c": b"2", "b.d": b"3"},
        {"a": b"1", "b/x/c": b"2", "b.d": b"3"},
    ]
    hashes = {sha256_of(make(f"other {place}", content)) for place, content in enumerate(others)}
    assert len(hashes | {sha256_of(first)}) == len(others) + 1
    assert size_of(first) == 3


def test_a_folder_appears_whole_or_not_at_all(
    tmp_path: Path, targets: list[Point], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.bundle"
    first = write_artifact("folder", SmallForward(), small_checkpoint(name="first"), path)
    assert {inner.name for inner in path.iterdir()} == {"metadata.json", "Data"}, "nothing but what the format writes"
    with pytest.raises(OutputError, match="exists"):
        write_artifact("folder", SmallForward(), small_checkpoint(name="second"), path)
    assert first.sha256 == sha256_of(path), "an earlier export is neither replaced nor mixed with"
    assert list(tmp_path.iterdir()) == [path]

    def fail(self: Any, forward: Any, metadata: Any, path: Path) -> None:
        (path / "half").touch()
        raise ExportError("It does not go on.", hint="None.", step="translate")

    monkeypatch.setattr(FolderTarget, "write", fail)
    with pytest.raises(ExportError):
        write_artifact("folder", SmallForward(), small_checkpoint(), tmp_path / "other" / "model.bundle")
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_place_of_a_folder_is_refused_and_the_reverse(tmp_path: Path) -> None:
    (tmp_path / "model.bundle").write_bytes(b"a file")
    (tmp_path / "model.onnx").mkdir()
    for name, fact in (
        ("model.bundle", "is a file, but folder is written as a folder"),
        ("model.onnx", "is a folder, but onnx is written as a file"),
    ):
        for look in (read_metadata, target_of):
            with pytest.raises(PackageError, match=fact) as caught:
                look(tmp_path / name)
            assert caught.value.hint
    (tmp_path / "other.bundle").mkdir()
    with pytest.raises(PackageError, match="is empty"):
        read_metadata(tmp_path / "other.bundle")
    (tmp_path / "other.bundle" / "a").write_bytes(b"1")
    with pytest.raises(PackageError, match="damaged"):
        read_metadata(tmp_path / "other.bundle")


def _image(folder: Path, side: int) -> Path:
    path = folder / f"{side}.tif"
    tifffile.imwrite(path, _picture()[:side, :side], photometric="rgb", resolution=(20000, 20000), resolutionunit=3)
    return path


def _picture() -> np.ndarray:
    from instanseg_export import read_image

    picture = read_image(DEMO_IMAGES / "histology.png").array
    return np.moveaxis(np.repeat(picture, 3, axis=0) if len(picture) == 1 else picture, 0, -1)


def test_flags_drive_settings_and_sizes(able: bool, runtime: str, tmp_path: Path) -> None:
    """A format without settings, or of one size, says so before anything is run."""
    write_artifact("folder", *_demo(), tmp_path / "model.bundle")
    rows = {row.name: row.fixed for row in require_metadata(tmp_path / "model.bundle").setting_rows}
    assert {name for name, fixed in rows.items() if fixed} == ({"tta"} if able else set(rows))

    fitting = _image(tmp_path, SIZE)
    options: dict[str, Any] = {"runtime": runtime, "output": tmp_path, "overwrite": True}
    plain = run(tmp_path / "model.bundle", fitting, **options)
    assert plain.found[0].instances > 0
    assert plain.normalize == ("always" if able else "auto"), "what the file fixes is not asked for"
    for settings in ({"min_size": 100_000}, {"window_size": 16}):
        if able:
            changed = run(tmp_path / "model.bundle", fitting, settings=settings, **options)
            assert ("min_size" not in settings) or changed.found[0].instances == 0
        else:
            with pytest.raises(SettingError, match=f"has {next(iter(settings))} fixed at export") as refused:
                run(tmp_path / "model.bundle", fitting, settings=settings, **options)
            assert "--runtime torchscript" in refused.value.hint
    if able:
        assert run(tmp_path / "model.bundle", _image(tmp_path, SIZE + 9), **options).found[0].instances > 0
    else:
        with pytest.raises(ImageError, match=rf"takes images of 1 x 3 x {SIZE} x {SIZE} only .* has 1 x 3 x 73 x 73"):
            run(tmp_path / "model.bundle", _image(tmp_path, SIZE + 9), **options)
        content = json.loads((tmp_path / "model.bundle" / "metadata.json").read_text())
        (tmp_path / "model.bundle" / "metadata.json").write_text(json.dumps(content | {"image_shape": None}))
        with pytest.raises(PackageError, match="does not say which"):
            run(tmp_path / "model.bundle", fitting, **options)


def test_flags_drive_a_validation(able: bool, runtime: str, result: ExportResult, tmp_path: Path) -> None:
    """An image that a format has no size for is not run, with the reason; stages are read where the format has them."""
    package = shutil.copytree(result.folder, tmp_path / "package")
    shutil.rmtree(package / "model.bundle")
    write_artifact("folder", *_demo(), package / "model.bundle")
    planes = np.moveaxis(_picture(), -1, 0)
    images = [
        NamedImage("fits", planes[:, :SIZE, :SIZE], sample=True),
        NamedImage("does not", planes[:, : SIZE + 1, :SIZE], sample=True),
    ]
    report = validate(package, images=images, runtimes=[runtime, "torchscript"])
    cells = {cell.image: cell for cell in report.results if cell.runtime == "folder"}
    assert cells["fits"].status == "passed"
    assert bool(cells["fits"].stages) == able
    assert cells["does not"].status == ("passed" if able else "not run")
    assert able or f"and the image has 1 x 3 x {SIZE + 1} x {SIZE}" in cells["does not"].why
    assert all(cell.status == "passed" and cell.stages for cell in report.results if cell.runtime == "torchscript")


@pytest.fixture
def network_only(targets: list[Point]) -> Iterator[None]:
    """The format holds the network alone."""
    before = targets[0].member
    targets[0].member = replace(before, whole=False)
    yield
    targets[0].member = before


@pytest.mark.usefixtures("network_only")
@pytest.mark.parametrize("change", ["none", "weights"])
def test_a_network_alone_is_compared_by_its_output(
    runtime: str, result: ExportResult, tmp_path: Path, change: str
) -> None:
    """It gets what the reference's network sees, and its row says that no label map was compared."""
    package = shutil.copytree(result.folder, tmp_path / "package")
    shutil.rmtree(package / "model.bundle")
    forward, checkpoint = _demo()
    if change == "weights":
        for weight in forward.network.parameters():
            weight *= 1.01
    write_artifact("folder", forward, checkpoint, package / "model.bundle")
    planes = np.moveaxis(_picture(), -1, 0)
    images = [
        NamedImage("fits", planes[:, :SIZE, :SIZE], sample=True),
        NamedImage("does not", planes[:, : SIZE + 1, :SIZE], sample=True),
    ]
    report = validate(package, images=images, runtimes=[runtime, "torchscript"])
    cells = {cell.image: cell for cell in report.results if cell.runtime == "folder"}
    (difference,) = cells["fits"].stages
    assert difference.stage == "network"
    assert difference.maximum is not None
    assert cells["fits"].comparison is None
    assert cells["does not"].status == "not run"
    assert "takes images of" in cells["does not"].why
    assert {one.name: one.status for one in report.runtimes}["folder"] == cells["fits"].status
    report.write(tmp_path / "report")
    page = (tmp_path / "report" / "report.md").read_text()
    assert f"network only: largest difference {difference.maximum:.2g}" in page
    if change == "none":
        assert cells["fits"].status == "passed"
        assert difference.maximum < 1e-4
        assert "runs the network only; its output differs by at most" in report.summary()
    else:
        assert cells["fits"].status == "failed"
        assert "the network's output differs by more than rounding" in cells["fits"].why
        assert difference.maximum > 1e-3


@pytest.mark.usefixtures("network_only")
def test_a_network_alone_proves_nothing_about_labels(runtime: str, result: ExportResult, tmp_path: Path) -> None:
    """Nor is it a reference: where nothing else can be run, nothing is compared."""
    path = tmp_path / "model.bundle"
    write_artifact("folder", *_demo(), path)
    image = NamedImage("fits", np.moveaxis(_picture(), -1, 0)[:, :SIZE, :SIZE], sample=True)
    report = validate(path, images=[image], runtimes=[runtime])
    assert report.reference is None
    assert report.status == "not run"
    assert all(cell.status == "not run" for cell in report.results)
    assert "no reference" in report.results[0].why


@pytest.mark.usefixtures("network_only")
def test_a_network_alone_is_marked_in_its_package(tmp_path: Path) -> None:
    folder = export(DEMO, targets=["torchscript", "folder"], output=tmp_path / "demo", validate=False).folder
    readme = (folder / "nuclei_dsb2018_README.md").read_text()
    assert "### `model.bundle`: network only" in readme
    assert "Fixed in folder" not in readme, "settings are no business of a network"
    config = yaml.safe_load((folder / "rdf.yaml").read_text())["config"]["instanseg_export"]
    assert config["network_only"] == ["model.bundle"]


def test_stages_are_refused_where_the_format_has_none(
    able: bool, runtime: str, result: ExportResult, tmp_path: Path
) -> None:
    np.save(tmp_path / "image.npy", np.zeros((1, 3, SIZE, SIZE), np.float32))
    paths = [tmp_path / "image.npy"], [tmp_path / "labels.npz"]
    model = result.folder / "model.bundle"
    if able:
        (outcome,) = run_runtime(find_runtime(runtime), model, *paths, stages_from=0)
        assert "network" in outcome.stages()
        return
    with pytest.raises(PackageError, match="folder files do not give the stages") as caught:
        run_runtime(find_runtime(runtime), model, *paths, stages_from=0)
    assert "torchscript" in caught.value.hint


def _demo() -> tuple[Any, Any]:
    from instanseg_export import build_forward, load_checkpoint

    checkpoint = load_checkpoint(DEMO)
    return build_forward(checkpoint), checkpoint


@pytest.mark.parametrize("decides", ["values", "graph", "forward"])
@pytest.mark.parametrize("overridable", [False, True])
@pytest.mark.parametrize("traces", [False, True])
def test_what_a_format_fixes(decides: Any, overridable: bool, traces: bool) -> None:
    from instanseg_export.families.settings import Setting

    target = FolderTarget(overridable=overridable, traces=traces)
    fixed = is_fixed(Setting("size", "int", 1, help="none.", decides=decides), target)
    left_open = overridable and (decides == "values" or (decides == "graph" and not traces))
    assert fixed is not left_open


@pytest.mark.parametrize("version", [1, 2])
def test_metadata_of_earlier_files_are_read(version: int) -> None:
    """Before 0.1.0 was released, a setting listed the formats that fix it."""
    from instanseg_export.families.settings import settings_of
    from instanseg_export.metadata import parse_metadata

    row = {"kind": "bool", "help": "none.", "fixed": True}
    rows = [
        {**row, "name": "tta", "static_in": ["torchscript", "onnx"]},
        {**row, "name": "wide", "static_in": ["onnx"]},
        {**row, "name": "free"},
    ]
    content = {
        "format": version,
        "version": "0.1.0",
        "target": "onnx",
        "dimensions": 2,
        "spec": {"family": "instanseg", "name": "old", "targets": ["nuclei"], "channels": 3},
        "source_sha256": "0" * 64,
        "settings": {"tta": False, "wide": True, "free": False},
        "tunables": rows,
        "outputs": ["instance_segmentation"]
        if version == 1
        else [{"name": "instance_segmentation", "role": "labels", "axes": ["batch", "channel", "y", "x"]}],
    }
    table = settings_of(parse_metadata(json.dumps(content), Path("old.onnx")))
    fixed = {target.name: [setting.name for setting in table if is_fixed(setting, target)] for target in TARGETS}
    assert (fixed["onnx"], fixed["torchscript"]) == (["tta", "wide"], ["tta"])
