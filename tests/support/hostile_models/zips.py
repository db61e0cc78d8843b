"""Packages as zips."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from support.hostile_models.parts import (
    Build,
    Member,
    cut,
    flipped,
    one_file,
    overlapping,
    write_package,
)

__all__ = ["zips"]


def _fill(archive: zipfile.ZipFile, entries: dict[str, bytes]) -> None:
    for name, data in entries.items():
        archive.writestr(name, data)


def _zipped(change: Callable[[zipfile.ZipFile], object], *, package: bool = True) -> Build:
    def build(folder: Path) -> Path:
        path = folder / "model.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            if package:
                for file in sorted(write_package(folder / "package").iterdir()):
                    archive.write(file, file.name)
                shutil.rmtree(folder / "package")
            change(archive)
        return path

    return build


def _entry(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = mode << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _zip_bytes(change: Callable[[bytes], bytes]) -> Build:
    def build(folder: Path) -> Path:
        path = _zipped(lambda archive: None)(folder)
        path.write_bytes(change(path.read_bytes()))
        return path

    return build


def zips() -> Iterator[Member]:
    zeros = bytes(200_000_000)
    changes: dict[str, Callable[[zipfile.ZipFile], object]] = {
        "a bomb": lambda archive: archive.writestr("big.bin", zeros),
        "many small bombs": lambda archive: _fill(archive, {f"{k}.bin": zeros[:60_000_000] for k in range(4)}),
        "climbs": lambda archive: archive.writestr("../evil", "x"),
        "climbs inside": lambda archive: archive.writestr("a/../../evil", "x"),
        "absolute": lambda archive: archive.writestr("/tmp/evil", "x"),
        "a drive": lambda archive: archive.writestr("C:evil", "x"),
        "backslashes": lambda archive: archive.writestr(_entry("..\\evil"), "x"),
        "a link": lambda archive: archive.writestr(_entry("link", 0o120777), "/etc/passwd"),
        "a pipe": lambda archive: archive.writestr(_entry("pipe", 0o010644), ""),
        "a device": lambda archive: archive.writestr(_entry("null", 0o020644), ""),
        "twice": lambda archive: archive.writestr("rdf.yaml", "name: other"),
        "a file as a folder": lambda archive: archive.writestr("rdf.yaml/x", "x"),
        "20,000 entries": lambda archive: _fill(archive, {f"{k}": b"" for k in range(20_000)}),
        "control characters": lambda archive: archive.writestr("../\x1b[31m\u202e", "x"),
        "bzip2": lambda archive: archive.writestr("b", "x" * 99, zipfile.ZIP_BZIP2),
        "lzma": lambda archive: archive.writestr("b", "x" * 99, zipfile.ZIP_LZMA),
    }
    for name, change in changes.items():
        yield Member(f"zip: {name}", _zipped(change))
    yield Member("zip: empty", _zipped(lambda archive: None, package=False))
    yield Member("zip: a zip in it", _zipped(lambda archive: archive.writestr("a.zip", b"PK"), package=False))
    for tenth in range(10):
        yield Member(f"zip: cut at {tenth} tenths", _zip_bytes(partial(cut, tenth=tenth)))
    yield Member("zip: no zip", one_file("model.zip", b"hello"))
    yield Member("zip: noise", one_file("model.zip", b"PK\x03\x04" + np.random.default_rng(3).bytes(9000)))
    yield Member("zip: overlapping", _zip_bytes(overlapping))
    yield Member("zip: a wrong checksum", _zip_bytes(lambda data: flipped(data, 300)))
    yield Member("zip: encrypted", _zip_bytes(_encrypted))
    yield Member("zip: a folder", _folder_in_place_of_a_zip)


def _folder_in_place_of_a_zip(folder: Path) -> Path:
    (folder / "model.zip").mkdir()
    return folder / "model.zip"


def _encrypted(data: bytes) -> bytes:
    directory = data.index(b"PK\x01\x02")
    return data[: directory + 8] + b"\x01" + data[directory + 9 :]
