"""The zip of a package."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from instanseg_export.errors import OutputError, PackageError
from instanseg_export.files import MARKER
from instanseg_export.packaging import zip_package


def fill(folder: Path, *, backwards: bool = False) -> Path:
    files = {
        "rdf.yaml": b"name: x",
        "b.bin": bytes(range(256)) * 999,
        "sub/deep/a.txt": b"a",
        "A.txt": b"",
        "sub/z": b"z",
    }
    for name in sorted(files, reverse=backwards):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
        os.utime(path, (1, 1) if backwards else None)
        path.chmod(0o600 if backwards else 0o755)
    return folder


def test_the_bytes_depend_on_the_files_alone(tmp_path: Path) -> None:
    zip_package(fill(tmp_path / "one"), tmp_path / "one.zip")
    zip_package(fill(tmp_path / "two", backwards=True), tmp_path / "other" / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other" / "two.zip").read_bytes()
    (tmp_path / "two" / "A.txt").write_bytes(b"!")
    zip_package(tmp_path / "two", tmp_path / "three.zip")
    assert (tmp_path / "one.zip").read_bytes() != (tmp_path / "three.zip").read_bytes()


def test_qupath_can_unpack_it(tmp_path: Path) -> None:
    """QuPath makes a folder only where an entry names it, and needs it before the files in it."""
    zip_package(fill(tmp_path / "one"), tmp_path / "one.zip")
    seen = {""}
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["A.txt", "b.bin", "rdf.yaml", "sub/", "sub/deep/", "sub/deep/a.txt", "sub/z"]
        for entry in archive.infolist():
            parent = entry.filename.rstrip("/").rpartition("/")[0]
            assert parent in seen
            if entry.is_dir():
                seen.add(entry.filename.rstrip("/"))
            assert (entry.external_attr >> 16) & 0o777 == (0o755 if entry.is_dir() else 0o644)
        archive.extractall(tmp_path / "out")
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file():
            assert (tmp_path / "out" / path.relative_to(tmp_path / "one")).read_bytes() == path.read_bytes()


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PackageError, match=r"has no rdf\.yaml"):
        zip_package(tmp_path / "empty", tmp_path / "empty.zip")
    folder = fill(tmp_path / "one")
    (folder / "link").symlink_to("/etc/hostname")
    with pytest.raises(PackageError, match="neither a file nor a folder"):
        zip_package(folder, tmp_path / "one.zip")
    assert list(tmp_path.glob("*.zip")) == []


def test_an_existing_zip_stays_unless_it_is_ours(tmp_path: Path) -> None:
    folder = fill(tmp_path / "one")
    target = tmp_path / "one.zip"
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        zip_package(folder, target)
    assert target.read_bytes() == b"precious"
    with pytest.raises(OutputError, match="did not write it"):
        zip_package(folder, target, overwrite=True)
    assert target.read_bytes() == b"precious"
    target.unlink()
    zip_package(folder, target)
    (folder / "more.txt").write_text("more")
    zip_package(folder, target, overwrite=True)
    assert "more.txt" in zipfile.ZipFile(target).namelist()
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("notes.txt", "mine")
    with pytest.raises(OutputError, match="changed since"):
        zip_package(folder, target, overwrite=True)
    assert "notes.txt" in zipfile.ZipFile(target).namelist()


def test_a_folders_list_of_contents_stays_out_of_the_zip(tmp_path: Path) -> None:
    folder = fill(tmp_path / "one")
    zip_package(folder, tmp_path / "plain.zip")
    (folder / MARKER).write_text("{}")
    zip_package(folder, tmp_path / "marked.zip")
    assert (tmp_path / "plain.zip").read_bytes() == (tmp_path / "marked.zip").read_bytes()
