"""Exported files and packages that are made to exhaust, deceive or take over who opens them, each under a name.

:func:`members` yields them; ``tests/parity/test_hostile_models.py`` gives them to the product, longer campaigns may.
A member is built in an empty folder of its own.
"""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import shutil
import socket
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tifffile
import torch
import yaml
from onnx import TensorProto, helper

from instanseg_export.metadata import ModelMetadata, parse_metadata
from instanseg_export.targets.onnx.embedded import with_metadata
from support.paths import DATA

__all__ = ["Member", "members", "write_package"]

DESCRIPTION = DATA / "metadata_format_1" / "demo-onnx.json"
EXTRA = "archive/extra/instanseg_export.json"
Build = Callable[[Path], Path]


@dataclass(frozen=True)
class Member:
    """One hostile input.

    Attributes:
        name: unique.
        build: writes files into an empty folder and returns the path to be opened.
        harmless: it may also be opened, with what is hostile in it ignored, cleaned or said.
    """

    name: str
    build: Build
    harmless: bool = False


class Whole(torch.nn.Module):
    """Labels nothing, which is all that opening a file needs."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(5000.0))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image[:, :1] * self.weight[0]


@cache
def _metadata() -> ModelMetadata:
    return parse_metadata(DESCRIPTION.read_bytes(), DESCRIPTION)


def _content(target: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_metadata().model_copy(update={"target": target, "stages": {}}).text())
    return content


@cache
def _torchscript() -> bytes:
    """A sound instanseg.pt, without its description."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(Whole()), buffer)
    return buffer.getvalue()


def _torchscript_with(text: str | bytes, *, compressed: bool = False, times: int = 1) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_torchscript())) as source, zipfile.ZipFile(result, "w") as archive:
        for name in source.namelist():
            archive.writestr(f"archive/{name.partition('/')[2]}", source.read(name))
        for _ in range(times):
            archive.writestr(EXTRA, text, zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED)
    return result.getvalue()


def _graph(*, initializers: tuple[Any, ...] = (), nodes: tuple[Any, ...] = ()) -> Any:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, "height", "width"])
    labels = helper.make_tensor_value_info("instance_segmentation", TensorProto.FLOAT, None)
    weight = onnx.numpy_helper.from_array(np.arange(5000, dtype=np.float32), "weight")
    node = helper.make_node("Identity", ["image"], ["instance_segmentation"])
    return helper.make_graph([node, *nodes], "graph", [image], [labels], [weight, *initializers])


def _onnx(graph: Any = None, functions: tuple[Any, ...] = (), **changes: Any) -> bytes:
    model = helper.make_model(graph or _graph(), opset_imports=[helper.make_opsetid("", 18)], functions=functions)
    return with_metadata(model, _metadata().model_copy(update={"stages": {}, **changes}))


def _onnx_with(text: str) -> bytes:
    model = helper.make_model(_graph(), opset_imports=[helper.make_opsetid("", 18)])
    helper.set_model_props(model, {"instanseg_export": text})
    data: bytes = model.SerializeToString()
    return data


def _rdf() -> dict[str, Any]:
    axes = [{"type": "batch"}, {"type": "channel", "id": "channel", "channel_names": ["r", "g", "b"]}]
    tensors = {"test_tensor": {"source": "test-input.npy"}, "sample_tensor": {"source": "sample-a.tif"}}
    return {"type": "model", "name": "hostile", "inputs": [{"id": "raw", "axes": axes, **tensors}], "outputs": []}


def write_package(folder: Path) -> Path:
    """Write a small package that can be opened (and, since its model finds nothing, hardly more)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "instanseg.pt").write_bytes(_torchscript_with(json.dumps(_content("torchscript"))))
    (folder / "model.onnx").write_bytes(_onnx())
    (folder / "rdf.yaml").write_text(yaml.safe_dump(_rdf()))
    image = np.random.default_rng(0).integers(0, 255, (3, 32, 40)).astype(np.float32)
    np.save(folder / "test-input.npy", image[None])
    tifffile.imwrite(folder / "sample-a.tif", image.astype(np.uint8), imagej=True, metadata={"axes": "CYX"})
    return folder


def members(canary: Path) -> Iterator[Member]:
    """Yield all members.

    Args:
        canary: a file that some would create if their code were executed.
    """
    yield from _descriptions()
    yield from _onnx_files()
    yield from _torchscript_files(canary)
    yield from _package_files()
    yield from _rdf_files()
    yield from _arrays(canary)
    yield from _zips()


def _file(name: str, data: bytes | Callable[[], bytes]) -> Build:
    def build(folder: Path) -> Path:
        (folder / name).write_bytes(data if isinstance(data, bytes) else data())
        return folder / name

    return build


ODD: dict[str, Any] = {
    "null": None,
    "true": True,
    "minus": -1,
    "large": 10**12,
    "text": "x\x1b[31m",
    "list": [[None]],
    "object": {"a": {}},
}


def _descriptions() -> Iterator[Member]:
    """Every key of a description with values of every type: most are refused, and none is anything else."""
    content = _content("onnx")
    places: list[tuple[Any, ...]] = [(key,) for key in content]
    places += [("spec", key) for key in content["spec"]]
    places += [("tunables", 0, key) for key in content["tunables"][0]]
    places += [("outputs", 0, key) for key in content["outputs"][0]]
    places += [("settings", key) for key in content["settings"]]
    for place in places:
        for kind, value in ODD.items():
            changed = copy.deepcopy(content)
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = value
            name = f"description: {'.'.join(map(str, place))} is {kind}"
            yield Member(name, _file("model.onnx", _later(_onnx_with, json.dumps(changed))), harmless=True)
    for name, text in {
        "nothing": "",
        "null": "null",
        "a list": "[]",
        "a million brackets": "[" * 900_000,
        "two million letters": json.dumps({**content, "version": "x" * 2_000_000}),
        "1e999": json.dumps(content).replace('"pixel_size": 0.5', '"pixel_size": 1e999'),
        "NaN": json.dumps(content).replace('"pixel_size": 0.5', '"pixel_size": NaN'),
        "1e308": json.dumps(content).replace('"pixel_size": 0.5', '"pixel_size": 1e308'),
        "6000 digits": json.dumps(content).replace('"channels": 3', '"channels": ' + "9" * 6000),
        "10^12 channels": json.dumps(content).replace('"channels": 3', '"channels": 1000000000000'),
        "7 dimensions": json.dumps({**content, "dimensions": 7}),
        "a newer format": json.dumps({"format": 3, "version": "9\x1b[2J"}),
        "a key twice": json.dumps(content)[:-1] + ', "target": "onnx"}',
    }.items():
        yield Member(f"description in ONNX: {name}", _file("model.onnx", _later(_onnx_with, text)))
        yield Member(f"description in TorchScript: {name}", _file("instanseg.pt", _later(_torchscript_with, text)))


def _later(make: Callable[..., bytes], *arguments: Any, **named: Any) -> Callable[[], bytes]:
    return lambda: make(*arguments, **named)


def _cut(data: bytes, tenth: int) -> bytes:
    return data[: max(1, len(data) * tenth // 10)]


def _flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]


def _external(location: str, *, kind: str = "initializer") -> bytes:
    tensor = TensorProto(name="far", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    if kind == "initializer":
        return _onnx(_graph(initializers=(tensor,)))
    node = helper.make_node("Constant", [], ["far"], value=tensor)
    if kind == "attribute":
        return _onnx(_graph(nodes=(node,)))
    if kind == "function":
        function = helper.make_function("own", "f", [], ["far"], [node], [helper.make_opsetid("", 18)])
        return _onnx(functions=(function,))
    branch = helper.make_graph([node], "branch", [], [helper.make_tensor_value_info("far", TensorProto.FLOAT, [4])])
    condition = onnx.numpy_helper.from_array(np.array(True), "yes")
    choice = helper.make_node("If", ["yes"], ["chosen"], then_branch=branch, else_branch=branch)
    return _onnx(_graph(initializers=(condition,), nodes=(choice,)))


def _onnx_files() -> Iterator[Member]:
    for place in ("/etc/passwd", "../../secret.bin", "weights.bin", "", "/dev/zero", "a\x1b]0;b\x07"):
        build = _file("model.onnx", _later(_external, place))
        yield Member(f"ONNX: a tensor in {place!r}", build)
    for kind in ("attribute", "branch", "function"):
        yield Member(f"ONNX: a tensor of a {kind} elsewhere", _file("model.onnx", _later(_external, "w", kind=kind)))
    for tenth in range(10):
        yield Member(f"ONNX: cut at {tenth} tenths", _file("model.onnx", partial(_cut, _onnx(), tenth)))
    size = len(_onnx(graph_sha256=""))
    for bit in range(0, size - 4000, max(1, (size - 4000) // 20)):
        # All of the graph is under the hash; the last part, the description itself, is not.
        build = _file("model.onnx", partial(_flipped, _onnx(), bit))
        yield Member(f"ONNX: a bit flipped at {bit}", build, harmless=bit < 100)
    field = struct.pack("<B", 7 << 3 | 2)
    yield Member("ONNX: a graph of 2**60 bytes", _file("model.onnx", field + b"\x80\x80\x80\x80\x80\x80\x80\x80\x10"))
    yield Member("ONNX: an endless number", _file("model.onnx", field + b"\xff" * 100))
    yield Member("ONNX: two graphs", _file("model.onnx", lambda: _onnx() + field + b"\x00"))
    yield Member("ONNX: no graph", _file("model.onnx", b"\x08\x0a"))
    yield Member("ONNX: groups", _file("model.onnx", b"\x0b\x0c" * 50))
    yield Member("ONNX: a million fields", _file("model.onnx", b"\x08\x0a" * 1_000_000))
    yield Member("ONNX: noise", _file("model.onnx", np.random.default_rng(1).bytes(50_000)))
    yield Member("ONNX: nothing", _file("model.onnx", b""))
    yield Member("ONNX: zeros", _file("model.onnx", b"\x00" * 1000))
    yield Member("ONNX: a deep graph", _file("model.onnx", _deep_onnx))
    yield Member("ONNX: a TorchScript file", _file("model.onnx", _torchscript))


def _deep_onnx() -> bytes:
    """Graphs in attributes of nodes in graphs, written from the inside out."""

    def wrapped(number: int, data: bytes) -> bytes:
        length, size = bytearray(), len(data)
        while size > 0x7F:
            length.append(size & 0x7F | 0x80)
            size >>= 7
        return bytes([number << 3 | 2]) + bytes(length) + bytes([size]) + data

    data = b""
    for _ in range(3000):
        data = wrapped(1, wrapped(5, wrapped(6, data)))  # graph.node.attribute.g
    return wrapped(7, data)


def _torchscript_files(canary: Path) -> Iterator[Member]:
    def good() -> bytes:
        return _torchscript_with(json.dumps(_content("torchscript")))

    for tenth in range(10):
        build = _file("instanseg.pt", lambda tenth=tenth: _cut(good(), tenth))  # type: ignore[misc]
        yield Member(f"TorchScript: cut at {tenth} tenths", build)
    with zipfile.ZipFile(io.BytesIO(good())) as archive:
        entries = [(entry.header_offset, entry) for entry in archive.infolist() if entry.file_size > 20]
    for offset, entry in entries:
        place = offset + 30 + len(entry.filename) + entry.file_size // 2
        build = _file("instanseg.pt", lambda place=place: _flipped(good(), place))  # type: ignore[misc]
        yield Member(f"TorchScript: a bit flipped in {entry.filename}", build)
    yield Member(
        "TorchScript: a description that unpacks to 300 MB",
        _file("instanseg.pt", lambda: _torchscript_with(b" " * 300_000_000, compressed=True)),
    )
    yield Member(
        "TorchScript: a packed description",
        _file("instanseg.pt", _later(_torchscript_with, "[" * 10**6, compressed=True)),
    )
    yield Member(
        "TorchScript: two descriptions",
        _file("instanseg.pt", lambda: _torchscript_with(json.dumps(_content("torchscript")), times=2)),
    )
    for name in ("../evil", "/evil", "a/../../evil", "C:\\evil", "..\\evil"):
        yield Member(f"TorchScript: an entry {name}", _file("instanseg.pt", _later(_zip_with, good, name)))
    yield Member("TorchScript: overlapping entries", _file("instanseg.pt", lambda: _overlapping(good())))

    class Run:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {canary}",)

    def executes() -> bytes:
        result = io.BytesIO()
        with zipfile.ZipFile(result, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Run()))
            archive.writestr("archive/code/x.py", f"import os; os.system('touch {canary}')")
            archive.writestr("archive/constants.pkl", pickle.dumps(Run()))
            archive.writestr("archive/version", "3")
        return result.getvalue()

    yield Member("TorchScript: it runs a program", _file("instanseg.pt", executes), harmless=True)


def _zip_with(good: Callable[[], bytes], name: str, content: bytes = b"evil") -> bytes:
    result = io.BytesIO(good())
    with zipfile.ZipFile(result, "a") as archive:
        archive.writestr(name, content)
    return result.getvalue()


def _overlapping(data: bytes) -> bytes:
    """Let the last entry of the table of contents point to the first entry's data."""
    directory = data.rindex(b"PK\x01\x02")
    return data[: directory + 42] + struct.pack("<I", 0) + data[directory + 46 :]


def _replaced(file: str, make: Callable[[Path], object]) -> Build:
    def build(folder: Path) -> Path:
        package = write_package(folder / "package")
        (package / file).unlink()
        make(package / file)
        return package

    return build


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket has at most 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


def _package_files() -> Iterator[Member]:
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
            yield Member(f"package: {file} is {kind}", _replaced(file, make), harmless=harmless)
    for file in ("instanseg.pt", "model.onnx"):
        for ending in ("", ".pt", ".onnx", ".zip"):
            yield Member(f"a pipe called x{ending} beside {file}", lambda folder, e=ending: _pipe(folder / f"x{e}"))  # type: ignore[misc]

    def two_models(folder: Path) -> Path:
        package = write_package(folder / "package")
        spec = _metadata().spec.model_copy(update={"channels": 1})
        (package / "model.onnx").write_bytes(_onnx(spec=spec))
        return package

    yield Member("package: files of two models", two_models)
    yield Member("package: an empty folder", lambda folder: folder)
    yield Member("package: nothing there", lambda folder: folder / "no\x1b[31m\nthing")
    yield Member("package: a text", _file("model.txt", b"hello"))


def _pipe(path: Path) -> Path:
    if not path.exists():
        os.mkfifo(path)
    return path


def _with_rdf(text: str | bytes) -> Build:
    def write(path: Path) -> None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return _replaced("rdf.yaml", write)


def _rdf_files() -> Iterator[Member]:
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


def _npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() + b" " * (64 - (len(header) + 11) % 64) + b"\n"
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + version + size + text + data


def _arrays(canary: Path) -> Iterator[Member]:
    def header(shape: str, descr: str = "'<f4'", order: str = "False") -> str:
        return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"

    stored = io.BytesIO()
    np.savez(stored, a=np.zeros((1, 3, 32, 32), np.float32))
    pickled = io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    command = f"__import__('os').system('touch {canary}')"
    members = {
        "a terabyte": _npy(header("(1, 3, 1000000, 100000)"), b"\x00" * 100),
        "an overflow": _npy(header("(4294967296, 4294967296, 4, 4)"), b"\x00" * 100),
        "a byte too few": _npy(header("(1, 3, 2, 2)"), b"\x00" * 47),
        "a byte too many": _npy(header("(1, 3, 2, 2)"), b"\x00" * 49),
        "negative": _npy(header("(1, 3, -2, -2)"), b"\x00" * 48),
        "text in the shape": _npy(header("('a', 3)"), b"\x00" * 48),
        "huge item": _npy(header("(1, 3, 1, 1)", "'<V2000000000'"), b"\x00" * 48),
        "objects": pickled.getvalue(),
        "an npz": stored.getvalue(),
        "a long header": _npy("(" * 60_000, version=b"\x01\x00"),
        "a header of 4 GB": b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 100,
        "a header of brackets": _npy("[" * 9000),
        "a program": _npy(header(command), b"\x00" * 48),
        "records": _npy(header("(3,)", "[('a', '<f4'), ('b', '|O')]"), b"\x00" * 48),
        "90 axes": _npy(header("(" + "1, " * 90 + ")"), b"\x00" * 4),
        "complex": _npy(header("(1, 3, 2, 2)", "'<c8'"), b"\x00" * 96),
        "version 9": b"\x93NUMPY\x09\x00" + b"\x00" * 100,
        "only magic": b"\x93NUMPY",
    }
    for name, data in members.items():
        yield Member(
            f"test-input.npy: {name}",
            _replaced("test-input.npy", lambda path, data=data: path.write_bytes(data) and None),  # type: ignore[misc]
        )


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


def _zips() -> Iterator[Member]:
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
        yield Member(f"zip: cut at {tenth} tenths", _zip_bytes(partial(_cut, tenth=tenth)))
    yield Member("zip: no zip", _file("model.zip", b"hello"))
    yield Member("zip: noise", _file("model.zip", b"PK\x03\x04" + np.random.default_rng(3).bytes(9000)))
    yield Member("zip: overlapping", _zip_bytes(_overlapping))
    yield Member("zip: a wrong checksum", _zip_bytes(lambda data: _flipped(data, 300)))
    yield Member("zip: encrypted", _zip_bytes(_encrypted))
    yield Member("zip: a folder", _folder_in_place_of_a_zip)


def _folder_in_place_of_a_zip(folder: Path) -> Path:
    (folder / "model.zip").mkdir()
    return folder / "model.zip"


def _encrypted(data: bytes) -> bytes:
    directory = data.index(b"PK\x01\x02")
    return data[: directory + 8] + b"\x01" + data[directory + 9 :]
