"""What the program in a ``.pt2`` file may do, read from its JSON: nothing of the file is loaded or executed.

PyTorch loads such a file by looking up the functions that it names, by evaluating the sizes that it writes as
expressions, by compiling its guards, and by unpickling tensors where the file says so: each of these can run anything.
Files of ours name operators that compute, have sizes of a few functions, and neither guards nor pickles. A file with no
more than that can only compute, whoever wrote it.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import PackageError
from ...metadata import METADATA_FILE
from ...untrusted.boundary import parsing, plain
from ..archive import ambiguities
from ..torchscript.code import plain_operators

__all__ = ["MACHINE_CODE", "suspicious"]

MACHINE_CODE = "machine code, which can do anything"
"""The phrase for what AOTInductor compiles."""

_MODEL, _SAMPLES = "models/model.json", "data/sample_inputs/model.pt"
_CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
_COMPILED = "data/aotinductor/"
_OTHERS = re.compile(
    rf"data/weights/weight_\d+|data/constants/tensor_\d+|extra/{re.escape(METADATA_FILE)}"
    r"|archive_format|archive_version|byteorder|\.data/version|\.data/serialization_id"
)
_LARGEST_CODE = 256_000_000

_OPERATOR = re.compile(r"torch\.ops\.aten\.(\w+)\.\w+")
_OPERATORS = frozenset({"_assert_tensor_metadata", "alias", "detach_", "lift_fresh_copy", "sym_size"})
"""Beyond those of TorchScript files."""

_FUNCTIONS = re.compile(
    r"torch\.ops\.higher_order\.(scan|while_loop|cond)|torch\.sym_(max|min|not|ite|float|int)"
    r"|_operator\.(add|sub|mul|floordiv|mod|neg|eq|ne|lt|le|gt|ge|and_|or_|getitem)|math\.(ceil|floor|trunc)"
)
_ARGUMENTS_THAT_RUN = frozenset({"as_custom_obj", "as_operator", "as_opaque"})
_TREES = frozenset({"builtins.tuple", "builtins.dict", "builtins.list", None})
_SYMBOL = re.compile(r"[a-z]{1,4}\d+")
_SIZE = re.compile(
    r"(?:(?:Add|Mul|Mod|Max|Min|FloorDiv|CleanDiv|PythonMod|Pow|Integer|Symbol|Equality|Unequality|And|Or|Not"
    r"|(?:Less|Greater)Than|Strict(?:Less|Greater)Than)(?=\()"
    r"|'[a-z]{1,4}\d+'|positive=True|nonnegative=True|integer=True|-?\d+|true|false|[(),]|\s)*"
)


def suspicious(path: Path) -> list[str]:
    """Name what an exported program contains beyond computing.

    Args:
        path: of the file.

    Returns:
        Phrases, as in "the function torch.load"; empty if the file can only compute.

    Raises:
        PackageError: it is no such file, or is damaged.
    """
    with parsing(path, "its program", PackageError, hint="Export the checkpoint again, or get the file again."):
        return list(dict.fromkeys(_suspicious(path)))


def _suspicious(path: Path) -> Iterator[str]:
    yield from ambiguities(path)
    with zipfile.ZipFile(path) as archive:
        texts: dict[str, Any] = {}
        for member in archive.infolist():
            _, _, name = member.filename.partition("/")
            if name in (_MODEL, *_CONFIGS):
                if member.file_size > _LARGEST_CODE:
                    yield f"{plain(name, 80)} of {member.file_size:,} bytes"
                    return
                texts[name] = json.loads(archive.read(member))
            elif name.startswith(_COMPILED):
                yield MACHINE_CODE
            elif member.file_size if name == _SAMPLES else not _OTHERS.fullmatch(name):
                yield f"{plain(name, 80)}, which no file of ours has"
    if _MODEL not in texts:
        yield "no program that could be read"
        return
    for name in _CONFIGS:
        if any(row.get("use_pickle") is not False for row in texts[name]["config"].values()):
            yield "a tensor that is unpickled"
    yield from _of_model(texts[_MODEL])


def _of_model(model: dict[str, Any]) -> Iterator[str]:
    if model["guards_code"]:
        yield "guards, which are compiled"
    if not all(_SYMBOL.fullmatch(name) for name in model["range_constraints"]):
        yield "a size with an odd name"
    for entry in model["graph_module"]["module_call_graph"]:
        for key in ("in_spec", "out_spec"):
            if entry["signature"] and not all(kind in _TREES for kind in _kinds(json.loads(entry["signature"][key]))):
                yield "a structure of a class of its own"
    for row in _rows(model["graph_module"]):
        if "target" in row and "inputs" in row:
            yield from _call(row)
        if "expr_str" in row and not _SIZE.fullmatch(str(row["expr_str"])):
            yield f"the size {plain(str(row['expr_str']), 60)}"
        if _ARGUMENTS_THAT_RUN.intersection(row):
            yield "an argument that is no value"


def _call(row: dict[str, Any]) -> Iterator[str]:
    function = str(row["target"])
    operator = _OPERATOR.fullmatch(function)
    computes = operator is not None and (operator[1] in plain_operators() or operator[1] in _OPERATORS)
    if not computes and not _FUNCTIONS.fullmatch(function):
        yield f"the function {plain(function, 60)}"
    if row.get("metadata"):
        yield "remarks of the exporter"


def _rows(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all mappings in a JSON document, in whatever depth."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _kinds(tree: Any) -> Iterator[Any]:
    return (row["type"] for row in _rows(tree) if "type" in row)
