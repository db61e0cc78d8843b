"""The Java runtimes: rows of the parity report, built where they are asked for, and a reason where they cannot run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from instanseg_export import export
from instanseg_export.api.validate import validate
from instanseg_export.families.outputs import label_map
from instanseg_export.images.named import NamedImage
from instanseg_export.images.synthetic import standard_images
from instanseg_export.images.synthetic_volumes import standard_volumes
from instanseg_export.parity.report import Report
from instanseg_export.runtimes.build import CACHE_VARIABLE, build, build_folder
from instanseg_export.runtimes.registry import find_runtime, list_runtimes
from instanseg_export.runtimes.session import RuntimeSession
from instanseg_export.targets import write_artifact
from instanseg_export.testing.small_forward import SmallForward, small_checkpoint, small_image
from support.embedseg_runs import write_volume_run

JAVA_RUNTIMES = (
    "djl_libtorch_2_0",
    "djl_libtorch_2_5",
    "djl_libtorch_2_7",
    "onnxruntime_java",
    "onnxruntime_java_1_20",
)
needs_java = pytest.mark.skipif(
    not all(shutil.which(program) for program in ("java", "javac", "mvn")), reason="needs a JDK and Maven"
)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without any build."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache with all builds."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(cache))
        for name in JAVA_RUNTIMES:
            assert build(find_runtime(name)) == ""
        yield cache


def hide_programs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))


def images(channels: int | None) -> list[NamedImage]:
    wanted = ("nuclei", "no objects", "odd sizes", "batch of 3")
    return [image for image in standard_images(channels) if image.name in wanted]


def rows(report: Report) -> dict[str, tuple[str, str]]:
    return {runtime.name: (runtime.status, runtime.why) for runtime in report.runtimes}


def test_without_a_jdk_they_are_not_run_and_say_why(
    demo_package: Path, tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_programs(tmp_path / "nothing", monkeypatch)
    report = validate(demo_package, images=images(3)[:1])
    found = rows(report)
    for name in JAVA_RUNTIMES:
        assert found[name] == ("not run", "there is no program java on the path")
    assert found["torchscript"] == ("passed", "")
    assert report.passed, report.summary()
    assert "DJL, libtorch 2.0, DJL, libtorch 2.5" in report.summary()


@needs_java
def test_without_a_build_they_are_not_run_and_nothing_is_built(demo_package: Path, empty_cache: Path) -> None:
    report = validate(demo_package, images=images(3)[:1])
    assert [rows(report)[name] for name in JAVA_RUNTIMES] == [("not run", "it is not built yet")] * 5
    row = next(runtime for runtime in report.runtimes if runtime.name == "djl_libtorch_2_5")
    assert "instanseg-export doctor --build-runtimes" in row.install
    assert not empty_cache.exists()


@needs_java
def test_a_build_that_fails_gives_its_reason(
    demo_package: Path, tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("java", "javac"):
        (programs / name).symlink_to(Path(str(shutil.which(name))).resolve())
    monkeypatch.setenv("PATH", str(programs))
    reason = "it is not built yet, and there is no program mvn on the path"
    report = validate(demo_package, images=images(3)[:1], runtimes=["torchscript", "onnxruntime_java"])
    assert rows(report)["onnxruntime_java"] == ("not run", reason)

    (programs / "mvn").write_text("#!/bin/sh\necho '[INFO] trying'\necho '[ERROR] no network'\nexit 1\n")
    (programs / "mvn").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}/bin")
    runtime = find_runtime("onnxruntime_java")
    assert build(runtime) == "mvn could not build it: no network"
    assert not build_folder(runtime).exists()


def test_they_are_built_from_poms_and_main_sources_alone() -> None:
    for name in JAVA_RUNTIMES:
        runtime = find_runtime(name)
        assert runtime.build is not None
        root = (runtime.folder / runtime.build.sources).resolve()
        files = [path for pattern in runtime.build.files for path in root.glob(pattern) if path.is_file()]
        assert len([path for path in files if path.suffix == ".java"]) > 10
        assert all(path.name == "pom.xml" or "main" in path.relative_to(root).parts for path in files)
        module = runtime.build.outcome[0].removesuffix("/target/*.jar")
        assert root / module / "pom.xml" in files


@pytest.mark.java
@needs_java
@pytest.mark.parametrize("name", JAVA_RUNTIMES)
def test_they_take_images_one_by_one(name: str, built: Path, tmp_path: Path) -> None:
    runtime, forward = find_runtime(name), SmallForward()
    model = tmp_path / runtime.filename
    write_artifact(runtime.target, forward, small_checkpoint(), model)
    with RuntimeSession.open(runtime, model) as session:
        assert session.start().error == ""
        for height, width in ((33, 20), (24, 41), (33, 20)):
            image = small_image(height, width)
            np.save(tmp_path / "image.npy", image.numpy())
            np.save(tmp_path / "wrong.npy", np.zeros((2, 2), dtype=np.float32))
            outcome = session.run(tmp_path / "image.npy", tmp_path / "image.npz")
            np.testing.assert_array_equal(outcome.labels(), label_map(forward(image)).numpy())
            assert "the image must be float32" in session.run(tmp_path / "wrong.npy", tmp_path / "image.npz").error
            assert session.running


@pytest.mark.java
@needs_java
def test_they_find_the_same_cells_as_pytorch(demo_package: Path, built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Built once, they need neither Maven nor a network.
    nowhere = "-Dhttp.proxyHost=localhost -Dhttp.proxyPort=9 -Dhttps.proxyHost=localhost -Dhttps.proxyPort=9"
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", nowhere)
    report = validate(demo_package, images=images(3), runtimes=JAVA_RUNTIMES)
    found = rows(report)
    assert [found[name] for name in JAVA_RUNTIMES] == [("passed", "")] * 5, report.summary()
    for name in JAVA_RUNTIMES:
        record = next(runtime for runtime in report.runtimes if runtime.name == name)
        assert record.peak_mb is not None
        assert all(cell.comparison and cell.comparison.equal_ids for cell in report.results_of(name))
    versions = [next(runtime.version for runtime in report.runtimes if runtime.name == name) for name in JAVA_RUNTIMES]
    assert [version.split()[1 if "torch" in version else 0].rstrip(",") for version in versions] == [
        "2.0.0",
        "2.5.1",
        "2.7.1",
        "1.29.0",
        "1.20.0",
    ]


@pytest.mark.slow
@pytest.mark.java
@needs_java
def test_they_find_the_same_objects_in_volumes(built: Path, tmp_path: Path) -> None:
    exported = export(write_volume_run(tmp_path / "nuclei_3d"), output=tmp_path / "package", validate=False)
    volumes = [volume for volume in standard_volumes(1) if volume.name in ("nuclei", "odd sizes", "one slice")]
    report = validate(exported.folder, images=volumes, runtimes=JAVA_RUNTIMES)
    assert [rows(report)[name] for name in JAVA_RUNTIMES] == [("passed", "")] * 5, report.summary()
    assert all(sum(cell.instances or 0 for cell in report.results_of(name)) > 10 for name in JAVA_RUNTIMES)


@pytest.mark.java
@needs_java
def test_settings_reach_them(demo_package: Path, built: Path) -> None:
    settings = {"min_size": 120, "normalize": "always", "cleanup_fragments": False, "seed_threshold": 0.75}
    changed = validate(demo_package, images=images(3)[:1], runtimes=JAVA_RUNTIMES, settings=settings)
    assert [rows(changed)[name][0] for name in JAVA_RUNTIMES] == ["passed"] * 5, changed.summary()
    fixed = validate(
        demo_package, images=images(3)[:1], runtimes=["torchscript", "onnxruntime_java"], settings={"window_size": 16}
    )
    status, why = rows(fixed)["onnxruntime_java"]
    assert status == "not run"
    assert "the setting window_size is fixed at export in this format" in why


@pytest.mark.java
@needs_java
def test_a_runtime_that_takes_too_long_is_ended(demo_package: Path, built: Path) -> None:
    huge = NamedImage("huge", images(3)[0].array.repeat(8, axis=1).repeat(8, axis=2))
    report = validate(demo_package, images=[images(3)[0], huge], runtimes=["djl_libtorch_2_5"], time_limit=1)
    cells = {cell.image: cell for cell in report.results_of("djl_libtorch_2_5")}
    assert cells["huge"].status == "failed"
    assert "the image was not finished within 1 s, the time limit" in cells["huge"].why


@pytest.mark.java
@needs_java
def test_doctor_finds_what_is_built(built: Path, command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    findings = json.loads(command("doctor", "--json").stdout)["findings"]
    state = {one["name"]: one["state"] for one in findings if one["group"] == "runtime"}
    assert [state[name] for name in JAVA_RUNTIMES] == ["ok"] * 5
    assert {runtime.name for runtime in list_runtimes() if runtime.program[0] == "java"} == set(JAVA_RUNTIMES)


@pytest.fixture
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run instanseg-export in a process of its own."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "instanseg_export", *arguments], capture_output=True, text=True, check=True
        )

    return run
