"""Packages: what lies in the place of a file, and what ``rdf.yaml`` says."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from support.hostile_models.parts import (
    Build,
    Member,
    one_file,
    onnx_bytes,
    replaced,
    sound_metadata,
    write_package,
)

__all__ = ["package_files", "rdf_files"]


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket has at most 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


def package_files() -> Iterator[Member]:
    kinds: dict[str, Callable[[Path], object]] = {
        "a pipe": lambda path: os.mkfifo(path),
        "a folder": lambda path: path.mkdir(),
        "a socket": _socket,
        "endless": lambda path: path.symlink_to("/dev/zero"),
        "a link to nothing": lambda path: path.symlink_to("nowhere"),
        "a link to itself": lambda path: path.symlink_to(path.name),
        "empty": lambda path: path.touch(),
        "noise": lambda path: path.write_bytes(np.random.default_rng(2).bytes(5000)),
        "gone": lambda path: None,
    }
    for file in ("rdf.yaml", "instanseg.pt", "model.onnx", "test-input.npy", "sample-a.tif"):
        for kind, make in kinds.items():
            # Without its description, or one of its two models, a package is a smaller package.
            harmless = kind == "gone" and file in ("rdf.yaml", "instanseg.pt", "model.onnx")
            yield Member(f"package: {file} is {kind}", replaced(file, make), harmless=harmless)
    for file in ("instanseg.pt", "model.onnx"):
        for ending in ("", ".pt", ".onnx", ".zip"):
            yield Member(f"a pipe called x{ending} beside {file}", lambda folder, e=ending: _pipe(folder / f"x{e}"))  # type: ignore[misc]

    def two_models(folder: Path) -> Path:
        package = write_package(folder / "package")
        spec = sound_metadata().spec.model_copy(update={"channels": 1})
        (package / "model.onnx").write_bytes(onnx_bytes(spec=spec))
        return package

    yield Member("package: files of two models", two_models)
    yield Member("package: an empty folder", lambda folder: folder)
    yield Member("package: nothing there", lambda folder: folder / "no\x1b[31m\nthing")
    yield Member("package: a text", one_file("model.txt", b"hello"))


def _pipe(path: Path) -> Path:
    if not path.exists():
        os.mkfifo(path)
    return path


def _with_rdf(text: str | bytes) -> Build:
    def write(path: Path) -> None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return replaced("rdf.yaml", write)


def rdf_files() -> Iterator[Member]:
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]\n" for k in range(1, 60))
    merges = "a0: &a0 {k: 1}\n" + "".join(f"a{k}: &a{k} {{<<: [*a{k - 1}, *a{k - 1}]}}\n" for k in range(1, 60))
    refused: dict[str, str | bytes] = {
        "laughs": f"{laughs}name: *a59\n",
        "merges": f"{merges}name: *a59\n",
        "an object": "name: !!python/object/apply:os.system ['true']\n",
        "a tuple as key": "? [a, b]\n: c\n",
        "deep": "name: " + "[" * 5000,
        "twice": "name: a\nname: b\n",
        "a list": "- a\n- b\n",
        "a word": "hello\n",
        "a number": "7\n",
        "bytes": b"name: \xff\xfe\n",
        "a tab": "name:\n\t- a\n",
        "an unknown anchor": "name: *nobody\n",
        "an empty number": "name: !!int ''\n",
        "a name elsewhere": "inputs: [{test_tensor: {source: gone.npy}}]\n",
        "endless text": 'name: "' + "x" * 20_000_000,
        "itself": "&a [*a]\n",
    }
    for name, text in refused.items():
        yield Member(f"rdf.yaml: {name}", _with_rdf(text))
    harmless = {
        "a date that is none": "name: 2001-99-99\n",
        "6000 digits": f"name: {'9' * 6000}\n",
        "control characters": 'name: "a\\e[31m\\nb"\n',
        "inputs of another type": "inputs: 7\noutputs: x\n",
        "inputs of other types": "inputs: [1, null, {axes: 3, test_tensor: [1]}, {axes: [null, {channel_names: 9}]}]\n",
        "a path outside": "inputs: [{test_tensor: {source: ../../etc/passwd}}]\n",
        "a path to itself": "inputs: [{test_tensor: {source: ..}}]\n",
        "an address": "inputs: [{test_tensor: {source: 'https://example.com/x.npy'}}]\n",
        "nothing": "",
        "hashes of other types": "weights: {onnx: {source: model.onnx, sha256: 7}, x: null, torchscript: [1]}\n",
        "wrong hashes": "weights: {onnx: {source: model.onnx, sha256: '00'}}\n",
    }
    for name, text in harmless.items():
        yield Member(f"rdf.yaml: {name}", _with_rdf(text), harmless=True)
