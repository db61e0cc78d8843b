"""Sound files and a sound package, and the ways in which they are changed."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
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

__all__ = [
    "Build",
    "Member",
    "content_for",
    "cut",
    "flipped",
    "later",
    "one_file",
    "onnx_bytes",
    "onnx_with",
    "overlapping",
    "replaced",
    "sound_graph",
    "sound_metadata",
    "sound_torchscript",
    "torchscript_with",
    "write_package",
]


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
def sound_metadata() -> ModelMetadata:
    return parse_metadata(DESCRIPTION.read_bytes(), DESCRIPTION)


def content_for(target: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(sound_metadata().model_copy(update={"target": target, "stages": {}}).text())
    return content


@cache
def sound_torchscript() -> bytes:
    """A sound instanseg.pt, without its description."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(Whole()), buffer)
    return buffer.getvalue()


def torchscript_with(text: str | bytes, *, compressed: bool = False, times: int = 1) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sound_torchscript())) as source, zipfile.ZipFile(result, "w") as archive:
        for name in source.namelist():
            archive.writestr(f"archive/{name.partition('/')[2]}", source.read(name))
        for _ in range(times):
            archive.writestr(EXTRA, text, zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED)
    return result.getvalue()


def sound_graph(*, initializers: tuple[Any, ...] = (), nodes: tuple[Any, ...] = ()) -> Any:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, "height", "width"])
    labels = helper.make_tensor_value_info("instance_segmentation", TensorProto.FLOAT, None)
    weight = onnx.numpy_helper.from_array(np.arange(5000, dtype=np.float32), "weight")
    node = helper.make_node("Identity", ["image"], ["instance_segmentation"])
    return helper.make_graph([node, *nodes], "graph", [image], [labels], [weight, *initializers])


def onnx_bytes(graph: Any = None, functions: tuple[Any, ...] = (), **changes: Any) -> bytes:
    model = helper.make_model(graph or sound_graph(), opset_imports=[helper.make_opsetid("", 18)], functions=functions)
    return with_metadata(model, sound_metadata().model_copy(update={"stages": {}, **changes}))


def onnx_with(text: str) -> bytes:
    model = helper.make_model(sound_graph(), opset_imports=[helper.make_opsetid("", 18)])
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
    (folder / "instanseg.pt").write_bytes(torchscript_with(json.dumps(content_for("torchscript"))))
    (folder / "model.onnx").write_bytes(onnx_bytes())
    (folder / "rdf.yaml").write_text(yaml.safe_dump(_rdf()))
    image = np.random.default_rng(0).integers(0, 255, (3, 32, 40)).astype(np.float32)
    np.save(folder / "test-input.npy", image[None])
    tifffile.imwrite(folder / "sample-a.tif", image.astype(np.uint8), imagej=True, metadata={"axes": "CYX"})
    return folder


def one_file(name: str, data: bytes | Callable[[], bytes]) -> Build:
    def build(folder: Path) -> Path:
        (folder / name).write_bytes(data if isinstance(data, bytes) else data())
        return folder / name

    return build


def later(make: Callable[..., bytes], *arguments: Any, **named: Any) -> Callable[[], bytes]:
    return lambda: make(*arguments, **named)


def cut(data: bytes, tenth: int) -> bytes:
    return data[: max(1, len(data) * tenth // 10)]


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]


def overlapping(data: bytes) -> bytes:
    """Let the last entry of the table of contents point to the first entry's data."""
    directory = data.rindex(b"PK\x01\x02")
    return data[: directory + 42] + struct.pack("<I", 0) + data[directory + 46 :]


def replaced(file: str, make: Callable[[Path], object]) -> Build:
    def build(folder: Path) -> Path:
        package = write_package(folder / "package")
        (package / file).unlink()
        make(package / file)
        return package

    return build
