"""runtime.toml: what may stand in it, and how what may not is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from instanseg_export.errors import PackageError
from instanseg_export.runtimes.description import Artefact, Build, Description, Install, Probe, Program
from instanseg_export.runtimes.registry import builtin_folder, read_runtime

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "adding-a-member.md"

MINIMAL = """
name = "mine"
title = "Mine"
description = "for tests"
program = ["mine"]
{top}
[artefact]
target = "onnx"
filename = "model.onnx"
[install]
hint = "none"
{end}
"""


def read(folder: Path, top: str = "", end: str = "") -> Description:
    (folder / "runtime.toml").write_text(MINIMAL.format(top=top, end=end))
    return read_runtime(folder)


def test_the_fewest_fields_that_do(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert (found.devices, found.rank, found.build, found.artefact.kind) == (("cpu",), 100, None, "file")
    assert found.offers("cpu")
    assert not found.offers("cuda")
    assert read(tmp_path, top='devices = ["cuda"]').offers("cuda:1")


@pytest.mark.parametrize(
    ("top", "end", "words"),
    [
        ("programm = 1", "", "there is no field 'programm'; did you mean program? Known are name, title, description,"),
        ("", "[build]\njava = 'djl'", "build: there is no field 'java'; Known are sources, files, tools, commands"),
        ("", "[probe]\nmodule = ['torch']", "probe: there is no field 'module'; did you mean modules?"),
        ("devices = []", "", "devices: Tuple should have at least 1 item"),
        ("preferred_on = ['cuda']", "", "preferred_on names cuda, which is none of its devices"),
        ("rank = -1", "", "rank: Input should be greater than or equal to 0"),
        ("start_limit = nan", "", "start_limit"),
        ("", "[build]\ncommands = [[]]\noutcome = ['a']", "build.commands.0: Tuple should have at least 1 item"),
        (
            "",
            "[build]\ncommands = [['{pyhton}']]\noutcome = ['a']",
            "nothing is known of {pyhton}; placeholders are {python}, {folder}, {build}",
        ),
        ("", "[[probe.programs]]\nname = 'node'\nat_least = 'new'", "at_least: String should match"),
        ("", "[[probe.programs]]\nname = 'node'\npattern = '('", "pattern is no regular expression"),
        ("", "[[probe.programs]]\nname = 'node'\npattern = 'v'", "pattern has 0 groups"),
    ],
)
def test_what_is_wrong_is_refused_in_words(tmp_path: Path, top: str, end: str, words: str) -> None:
    with pytest.raises(PackageError) as caught:
        read(tmp_path, top, end)
    assert "runtime.toml is malformed at " in caught.value.message
    assert words in caught.value.message
    assert "docs/adding-a-member.md" in caught.value.hint


def test_a_place_for_a_build_needs_one(tmp_path: Path) -> None:
    text = MINIMAL.format(top="", end="").replace('["mine"]', '["{build}/mine"]')
    (tmp_path / "runtime.toml").write_text(text)
    with pytest.raises(PackageError, match=r"nothing is known of \{build\}; placeholders are \{python\}, \{folder\}"):
        read_runtime(tmp_path)


@pytest.mark.parametrize("name", ["../model.onnx", "a/b", "", "a\\\\b"])
def test_an_artefact_lies_in_the_package(tmp_path: Path, name: str) -> None:
    (tmp_path / "runtime.toml").write_text(MINIMAL.format(top="", end="").replace("model.onnx", name))
    with pytest.raises(PackageError, match=r"artefact\.filename"):
        read_runtime(tmp_path)


def test_ours_say_on_which_devices_they_run() -> None:
    for path in builtin_folder().glob("*/runtime.toml"):
        assert "\ndevices = " in path.read_text(), path
        assert read_runtime(path.parent).name == path.parent.name


def test_the_table_in_the_docs_has_every_field_and_no_other() -> None:
    tables: dict[str, type[BaseModel]] = {
        "": Description,
        "artefact.": Artefact,
        "probe.": Probe,
        "probe.programs.": Program,
        "build.": Build,
        "install.": Install,
    }
    inner = {name.rstrip(".") for name in tables if name}
    fields = {f"{prefix}{field}" for prefix, table in tables.items() for field in table.model_fields}
    section = DOCUMENT.read_text(encoding="utf-8").partition("\n## A runtime")[2]
    documented = re.findall(r"^\| `([a-z_.]+)` \|", section, flags=re.MULTILINE)
    assert sorted(documented) == sorted(fields - inner)
