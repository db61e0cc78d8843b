"""The programs of the pages on languages find what Python finds, in each whose compiler and libraries are here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime as ort
import pytest

from instanseg_export.images import read_image
from instanseg_export.runtimes.build import CACHE_VARIABLE, build, build_folder
from instanseg_export.runtimes.registry import builtin_folder, find_runtime
from support.paths import DEMO_IMAGES, ROOT

PAGE = ROOT / "docs/elsewhere.md"
PAGES = {"cpp": "cpp.md", "toml": "rust.md", "rust": "rust.md", "java": "java.md"}
"""Of languages that have one of their own."""

_HEADER = "onnxruntime_cxx_api.h"


class Case(NamedTuple):
    """A model and an image, and the label maps that Python finds, with the setting of the programs and without."""

    arguments: list[str]
    labels: Path
    expected: np.ndarray


@pytest.fixture
def case(demo_package: Path, tmp_path: Path) -> Case:
    pixels = read_image(DEMO_IMAGES / "histology.png", 2).array.astype("<f4")
    pixels.tofile(tmp_path / "pixels.raw")
    model = demo_package / "model.onnx"
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    inputs = {"image": pixels[None], "seed_threshold": np.array(0.6, np.float32)}
    (expected,) = session.run(["instance_segmentation"], inputs)
    (plain,) = session.run(["instance_segmentation"], {"image": pixels[None]})
    assert expected.any()
    assert not np.array_equal(expected, plain), "the setting makes no difference"
    sizes = map(str, pixels.shape)
    labels = tmp_path / "labels.raw"
    return Case([str(model), str(tmp_path / "pixels.raw"), *sizes, str(labels)], labels, expected)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder with ONNX Runtime's library, under the names by which linkers and programs look for it."""
    found = sorted((Path(ort.__file__).parent / "capi").glob("libonnxruntime.so.*"))
    if not found:
        pytest.skip("the package onnxruntime has no library for Linux")
    (tmp_path / "lib").mkdir()
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (tmp_path / "lib" / name).symlink_to(found[0])
    return tmp_path / "lib"


def block(language: str) -> str:
    """Return the only block in a language of its page."""
    page = (PAGE.parent / PAGES.get(language, PAGE.name)).read_text(encoding="utf-8")
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return str(text)


def check(command: list[str], case: Case, **variables: str) -> None:
    """Run a program and compare the label map that it writes."""
    done = _run([*command, *case.arguments], None, **variables)
    assert [int(size) for size in re.findall(r"\d+", done)] == list(case.expected.shape)
    found = np.fromfile(case.labels, "<f4").reshape(case.expected.shape)
    np.testing.assert_array_equal(found, case.expected)


def _run(command: list[str], folder: Path | None, **variables: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_cpp(case: Case, library: Path, tmp_path: Path) -> None:
    """Needs the headers where g++ looks for them, or where CPLUS_INCLUDE_PATH says."""
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    probe = subprocess.run(
        ["g++", "-E", "-x", "c++", "-"], input=f"#include <{_HEADER}>", capture_output=True, text=True, check=False
    )
    if probe.returncode != 0:
        pytest.skip(f"g++ finds no {_HEADER}")
    (tmp_path / "segment.cpp").write_text(block("cpp"))
    link = (f"-L{library}", "-lonnxruntime", f"-Wl,-rpath,{library}")
    _run(["g++", "-std=c++17", "-O2", "-Wall", "-Werror", "segment.cpp", "-o", "segment", *link], tmp_path)
    check([str(tmp_path / "segment")], case)


def test_rust(case: Case, library: Path, tmp_path: Path) -> None:
    if shutil.which("cargo") is None:
        pytest.skip("needs cargo")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.rs").write_text(block("rust"))
    (tmp_path / "Cargo.toml").write_text(block("toml"))
    fetched = subprocess.run(["cargo", "fetch"], cwd=tmp_path, capture_output=True, text=True, check=False)
    if fetched.returncode != 0:
        pytest.skip(f"cargo cannot fetch ort: {fetched.stderr.strip().splitlines()[-1]}")
    _run(["cargo", "build", "--offline"], tmp_path, RUSTFLAGS="-D warnings")
    check([str(tmp_path / "target/debug/segment")], case, ORT_DYLIB_PATH=str(library / "libonnxruntime.so"))


def test_java(case: Case, tmp_path: Path) -> None:
    """With the library that Maven has fetched for java_smoke/."""
    if shutil.which("java") is None:
        pytest.skip("needs java")
    repository = Path.home() / ".m2/repository/com/microsoft/onnxruntime/onnxruntime"
    found = sorted(repository.glob("*/onnxruntime-*.jar"))
    if not found:
        pytest.skip("needs ONNX Runtime for Java, which mvn verify fetches in java_smoke/")
    (tmp_path / "Segment.java").write_text(block("java"))
    check(["java", "-cp", str(found[-1]), str(tmp_path / "Segment.java")], case)


def test_node(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if missing := [program for program in ("node", "npm") if shutil.which(program) is None]:
        pytest.skip(f"needs {' and '.join(missing)}")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    runtime = find_runtime("onnxruntime_node")
    assert build(runtime) == ""
    (tmp_path / "node_modules").symlink_to(build_folder(runtime) / "node_modules")
    (tmp_path / "segment.mjs").write_text(block("js"))
    shutil.copy(builtin_folder() / "_shared" / "onnx_file.mjs", tmp_path)
    check(["node", str(tmp_path / "segment.mjs")], case)


def test_what_is_not_compiled_says_so() -> None:
    text = PAGE.read_text(encoding="utf-8")
    languages = set(re.findall(r"^```(\w+)$", text, re.MULTILINE))
    assert languages == {"js", "csharp"}
    section = text.partition("## C#")[2]
    assert "not compiled by our tests" in section
