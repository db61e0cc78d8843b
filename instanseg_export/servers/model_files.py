"""Which files of a model servers can run, under which names, and what goes in and comes out by their graphs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import PackageError
from ..exported_model import ExportedModel
from ..targets import TARGETS, read_metadata
from ..targets.quantization import REDUCED
from ..untrusted.boundary import parsing, plain

__all__ = ["ServedFile", "Tensor", "served_files"]

_AGAIN = "Export the checkpoint again with --targets onnx, or get the file again from its publisher."
_TYPES = {
    "FLOAT": "FP32",
    "FLOAT16": "FP16",
    "DOUBLE": "FP64",
    "INT8": "INT8",
    "INT16": "INT16",
    "INT32": "INT32",
    "INT64": "INT64",
    "UINT8": "UINT8",
    "UINT16": "UINT16",
    "UINT32": "UINT32",
    "UINT64": "UINT64",
    "BOOL": "BOOL",
}
"""Names of types in servers' protocols, by ONNX's."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of a file.

    Attributes:
        name: in the graph.
        data_type: as servers' protocols call it, as in "FP32".
        shape: -1 where the file takes any size; empty for a scalar.
        optional: an input that has a default, as settings have.
    """

    name: str
    data_type: str
    shape: tuple[int, ...]
    optional: bool = False


@dataclass(frozen=True)
class ServedFile:
    """An ONNX file that a server can run.

    Attributes:
        name: of the model that it becomes, of letters, digits, dots, dashes and underscores.
        file: of the package.
        inputs, outputs: by the graph, in its order.
    """

    name: str
    file: Path
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def fixed_size(self) -> bool:
        """Whether it takes images of one size only."""
        return all(size > 0 for one in self.inputs if not one.optional for size in one.shape)


def served_files(model: ExportedModel) -> list[ServedFile]:
    """Return the model's ONNX files, the one for any size of image first.

    Raises:
        PackageError: there is none, or one is damaged or needs types that servers do not have.
    """
    names = [*(target.filename for target in TARGETS), *(one.filename for one in REDUCED)]
    files = dict.fromkeys(file for name in names if name.endswith(".onnx") and (file := model.file(name)) is not None)
    whole = [file for file in files if (metadata := read_metadata(file)) is None or metadata.whole]
    if not whole:
        raise PackageError(
            f"{model.path} has no ONNX file, which is what these servers run.",
            hint="Export the checkpoint with --targets onnx, and onnx_static for a file of one image size.",
        )
    base = re.sub(r"[^A-Za-z0-9_.-]+", "_", model.name).strip(".") or "model"
    return [_served(file, base if file == model.path else base + _suffix(file)) for file in whole]


def _suffix(file: Path) -> str:
    rest = file.stem.removeprefix("model").strip("._-")
    return f"_{rest}" if rest else ""


def _served(file: Path, name: str) -> ServedFile:
    import onnx

    with parsing(file, "its graph", PackageError, hint=_AGAIN):
        graph = onnx.load(str(file), load_external_data=False).graph
        defaults = {one.name for one in graph.initializer}
        inputs = tuple(_tensor(file, one, optional=one.name in defaults) for one in graph.input)
        outputs = tuple(_tensor(file, one) for one in graph.output)
    return ServedFile(name, file, tuple(sorted(inputs, key=lambda one: one.optional)), outputs)


def _tensor(file: Path, value: Any, *, optional: bool = False) -> Tensor:
    from onnx import TensorProto

    kind = value.type.tensor_type
    try:
        data_type = _TYPES[TensorProto.DataType.Name(kind.elem_type)]
    except (KeyError, ValueError):
        raise PackageError(
            f"{file} has a tensor of a type that servers do not take: {plain(value.name, 80)}.", hint=_AGAIN
        ) from None
    sizes = tuple(one.dim_value if one.HasField("dim_value") else -1 for one in kind.shape.dim)
    return Tensor(value.name, data_type, sizes, optional)
