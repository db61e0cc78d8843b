"""A runtime in any language is a folder: its program is built from its sources, once, and found again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from programs import program

from instanseg_export.runtimes.build import CACHE_VARIABLE, build, build_folder, command_of
from instanseg_export.runtimes.description import Runtime
from instanseg_export.runtimes.probe import make_ready, probe
from instanseg_export.runtimes.process import run_runtime
from instanseg_export.runtimes.registry import read_runtime
from instanseg_export.runtimes.selection import select_runtimes

DESCRIPTION = """
name = "compiled"
title = "Compiled"
description = "A program that a compiler makes."
program = ["{python}", "{build}/runner"]
[artefact]
target = "onnx"
filename = "model.onnx"
[build]
sources = "source"
files = ["*.txt", "lib/**/*"]
tools = ["sh"]
commands = [
    ["sh", "-c", "mkdir -p out && cat head.txt lib/deep/tail.txt > out/runner && echo . >> {folder}/builds"],
    ["{python}", "-c", "open('out/data', 'w').write('data')"],
]
outcome = ["out/*"]
[install]
hint = "none"
"""


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without any build."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a runtime that has to be built."""
    folder = tmp_path / "compiled"
    (folder / "source" / "lib" / "deep").mkdir(parents=True)
    lines = program().splitlines(keepends=True)
    (folder / "source" / "head.txt").write_text("".join(lines[:5]))
    (folder / "source" / "lib" / "deep" / "tail.txt").write_text("".join(lines[5:]))
    (folder / "source" / "notes.md").write_text("not a source")
    (folder / "runtime.toml").write_text(DESCRIPTION)
    return folder


def changed(folder: Path, *pairs: tuple[str, str]) -> Runtime:
    text = DESCRIPTION
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    (folder / "runtime.toml").write_text(text)
    return read_runtime(folder)


def test_it_is_built_where_it_is_asked_for_by_name_and_then_runs(folder: Path, tmp_path: Path) -> None:
    ((runtime, lacking),) = select_runtimes([str(folder)])
    assert lacking == ""
    assert sorted(path.name for path in build_folder(runtime).iterdir() if not path.name.startswith(".")) == [
        "data",
        "runner",
    ]
    assert command_of(runtime)[1] == str(build_folder(runtime) / "runner")
    image = np.zeros((1, 1, 8, 8), dtype=np.float32)
    image[..., 2:5, 2:5] = 200
    np.save(tmp_path / "image.npy", image)
    (outcome,) = run_runtime(runtime, tmp_path / "model", [tmp_path / "image.npy"], [tmp_path / "image.npz"])
    assert outcome.labels().sum() == 9


def test_a_probe_builds_nothing(folder: Path, empty_cache: Path) -> None:
    assert probe(read_runtime(folder)) == "it is not built yet"
    assert not empty_cache.exists()
    assert not (folder / "builds").exists()


def test_it_is_built_once_for_each_version_of_its_sources(folder: Path) -> None:
    first = read_runtime(folder)
    assert make_ready(first) == make_ready(first) == ""
    (folder / "source" / "notes.md").write_text("still not a source")
    assert probe(first) == ""
    (folder / "source" / "head.txt").write_text("# changed\n")
    assert probe(first) == "it is not built yet"
    assert make_ready(first) == ""
    other = changed(folder, ("'data')", "'other')"))
    assert probe(other) == "it is not built yet"
    assert (folder / "builds").read_text() == ".\n.\n"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("echo trying; echo '[ERROR] no network'; exit 1", "sh could not build it: no network"),
        ("echo 'npm ERR! code E404'; echo done; exit 1", "sh could not build it: code E404"),
        ("echo 'error: linker not found' >&2; exit 101", "sh could not build it: linker not found"),
        ("echo one; echo two; exit 1", "sh could not build it: two"),
        ("exit 7", "sh could not build it: it ended with status 7"),
        ("true", "it was built, but that gave no out/*"),
    ],
)
def test_a_build_that_fails_gives_its_reason_and_leaves_nothing(folder: Path, command: str, reason: str) -> None:
    runtime = changed(
        folder, ("mkdir -p out && cat head.txt lib/deep/tail.txt > out/runner && echo . >> {folder}/builds", command)
    )
    runtime = runtime.model_copy(
        update={"build": runtime.build.model_copy(update={"commands": runtime.build.commands[:1]})}
    )  # type: ignore[union-attr]
    assert make_ready(runtime) == reason
    assert not build_folder(runtime).exists()


def test_a_tool_that_is_not_there_is_named(folder: Path) -> None:
    runtime = changed(folder, ('tools = ["sh"]', 'tools = ["sh", "no-cc", "no-ld"]'))
    assert make_ready(runtime) == "it is not built yet, and there is no program no-cc and no no-ld on the path"


def test_sources_may_lie_elsewhere_and_are_never_written_to(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "source", tmp_path / "elsewhere")
    before = sorted(path.name for path in (tmp_path / "elsewhere").rglob("*"))
    assert build(changed(folder, ('"source"', '"../elsewhere"'))) == ""
    assert sorted(path.name for path in (tmp_path / "elsewhere").rglob("*")) == before
