"""Names of files: whatever passes stays in its folder on every system, and what packages have passes."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instanseg_export.errors import PublishError
from instanseg_export.plain_text import controls
from instanseg_export.publishing.names import check_file_name
from instanseg_export.publishing.package import PublishedPackage

HOSTILE = [
    "",
    ".",
    "..",
    "/etc/passwd",
    "../evil",
    "a/../../evil",
    "a/..",
    "a//b",
    "a/",
    "./a",
    "C:/evil",
    "C:evil",
    "\\\\server\\evil",
    "..\\evil",
    "a\x00b",
    "a\nb",
    "\u202etxt.exe",
    "con trol\x1b[31m",
    "a?b",
    "a#b",
    "%2e%2e/evil",
    "a*",
    'a"b',
    "trailing ",
    "trailing.",
    " leading",
    "a. /b",
    "e\u0301.txt",
    "x" * 300,
    "/".join(["y" * 200] * 6),
    "comments.json",
    "sub/COMMENTS.json",
    "bioimageio.yaml",
    "BioImageIO.yaml",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(name: str) -> None:
    with pytest.raises(PublishError, match="names a file") as caught:
        check_file_name(name)
    assert controls(caught.value.message) == ""


PARTS = st.sampled_from(
    ["..", ".", "", "a", "b.txt", "~", "C:", "con", "\\", "a\\b", "\t", " ", "é", "e\u0301", "%2e", "*"]
)


@settings(deadline=None)
@given(st.one_of(st.lists(PARTS, max_size=5).map("/".join), st.text(max_size=30)))
def test_what_passes_stays_in_its_folder(name: str) -> None:
    try:
        check_file_name(name)
    except PublishError:
        return
    assert name
    posix, windows = PurePosixPath("/in") / name, PureWindowsPath("C:\\in") / name
    assert str(posix) == f"/in/{name}", "it is written in one way only"
    assert ".." not in windows.parts
    assert windows.is_relative_to("C:\\in")
    assert not PureWindowsPath(name).is_absolute()
    assert controls(name) == ""


def test_names_of_packages_pass(package: PublishedPackage) -> None:
    names = [file.name for file in package.files]
    assert len(names) > 10
    for name in [
        *names,
        "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin",
        "Zellkerne größer.tif",
        "细胞核.pt",
    ]:
        check_file_name(name)
