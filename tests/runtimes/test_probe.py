"""What a runtime needs is looked for when somebody asks, and what is missing is said in words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from instanseg_export.runtimes.probe import probe
from instanseg_export.runtimes.registry import read_runtime

Write = Callable[..., Path]


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a program with these lines of shell onto the path."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(name: str, lines: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{lines}\n")
        (folder / name).chmod(0o755)

    return put


def needs(write_runtime: Write, program: str, at_least: str = "", more: str = "") -> str:
    folder = write_runtime("mine", source="")
    text = (folder / "runtime.toml").read_text()
    table = f'[[probe.programs]]\nname = "{program}"\nat_least = "{at_least}"\n{more}\n[install]'
    (folder / "runtime.toml").write_text(text.replace("[install]", table))
    return probe(read_runtime(folder))


def test_python_modules(write_runtime: Write) -> None:
    assert probe(read_runtime(write_runtime("has", modules=("numpy", "torch")))) == ""
    absent = read_runtime(write_runtime("lacks", modules=("numpy", "no_such_module")))
    assert probe(absent) == "Python does not find no_such_module"


def test_a_command_that_has_to_succeed(write_runtime: Write) -> None:
    assert probe(read_runtime(write_runtime("does", command=("true",)))) == ""
    assert probe(read_runtime(write_runtime("fails", command=("false",)))) == "false ended with status 1"
    says = ("{python}", "-c", "import sys; sys.exit('Warning: old\\nit needs macOS')")
    assert probe(read_runtime(write_runtime("says", command=says))) == "it needs macOS"
    gone = read_runtime(write_runtime("gone", command=("no-such-program", "--version")))
    assert probe(gone) == "there is no program no-such-program on the path"


@pytest.mark.parametrize(
    ("said", "at_least", "lacking"),
    [
        ("v20.11.1", "", ""),
        ("v20.11.1", "20", ""),
        ("v20.11.1", "20.9", ""),
        ("v20.11.1", "20.12", "tool is version 20.11.1, and 20.12 is needed"),
        ("rustc 1.70.0 (90c541806 2023-05-31)", "1.71", "tool is version 1.70.0, and 1.71 is needed"),
        ("nothing", "1", "tool does not tell its version, and 1 or newer is needed"),
    ],
)
def test_a_program_and_its_version(
    write_runtime: Write, on_path: Callable[[str, str], None], said: str, at_least: str, lacking: str
) -> None:
    on_path("tool", f"echo '{said}'")
    assert needs(write_runtime, "tool", at_least) == lacking


def test_a_version_that_a_program_tells_in_its_own_way(
    write_runtime: Write, on_path: Callable[[str, str], None]
) -> None:
    """As Java does: on stderr, after whatever else it has to say, and with a 1 in front until version 8."""
    more = "version = ['-version']\npattern = 'version \"(?:1\\.)?(\\d+)'"
    on_path("java", """[ "$1" = -version ] && printf 'Picked up: -Dport=9\\nopenjdk version "1.8.0_292"\\n' >&2""")
    assert needs(write_runtime, "java", "17", more) == "java is version 8, and 17 is needed"
    assert needs(write_runtime, "java", "8", more) == ""


def test_a_program_that_is_not_there(write_runtime: Write) -> None:
    assert needs(write_runtime, "no-such-program") == "there is no program no-such-program on the path"
