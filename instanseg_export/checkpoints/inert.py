"""Unpickling without executing anything: classes become inert records, and only tensors are rebuilt."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import CheckpointError, UnsafeFileError
from .archive import TorchArchive, damaged, first_line

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["InertObject", "check_pickle", "code_error", "plain_attributes", "read_script_module", "tensors_of"]

_STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
"""Storage classes that a file may name, and the number types that they stand for."""

_LIST_BUILDERS = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist")

_HARMLESS = {(module, name) for module in ("builtins", "__builtin__") for name in ("set", "frozenset", "bytearray")}
"""Containers that some pickles rebuild by name."""

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The first object in files that torch wrote before 1.6."""

_MAXIMUM_MODULES = 20_000
"""No network has more modules; files in which modules contain each other reach it."""


class InertObject:
    """What stands in for an object of any class: its attributes, and no behaviour at all.

    Attributes:
        attributes: name to value; values are plain data, tensors or further inert objects.
    """

    def __init__(self, *_: Any) -> None:
        self.attributes: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.attributes = state if isinstance(state, dict) else {}


@dataclass(frozen=True)
class _Storage:
    dtype: str
    data: bytes


# The Python implementation, since the one in C lets a few bytes of a broken file reserve all memory: it keeps what a
# pickle stores under number n in an array of n places.
_Unpickler = pickle._Unpickler


class _ScriptUnpickler(_Unpickler):
    """Unpickles ``data.pkl`` of a TorchScript archive."""

    def __init__(self, archive: TorchArchive) -> None:
        super().__init__(BytesIO(archive.read("data.pkl")))
        self._archive = archive
        self._storages: dict[str, bytes] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return InertObject
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if module == "torch.jit._pickle" and name in _LIST_BUILDERS:
            return list
        if (module, name) == ("torch.jit._pickle", "restore_type_tag"):
            return lambda value, _: value
        raise code_error(self._archive.path, f"{module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key = pid[0], pid[1], str(pid[2])
        if kind != "storage" or dtype not in _STORAGES.values():
            raise pickle.UnpicklingError(f"unknown kind of data {kind!r}")
        if key not in self._storages:
            self._storages[key] = self._archive.read(f"data/{key}")
        return _Storage(dtype, self._storages[key])


def _rebuild(storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    """Make a tensor that owns its data from a view of a storage, which must hold all of it."""
    import torch

    if len(size) != len(stride) or any(type(n) is not int or n < 0 for n in (offset, *size, *stride)):
        raise pickle.UnpicklingError(f"a tensor has the shape {size} and the strides {stride}")
    dtype: torch.dtype = getattr(torch, storage.dtype)
    if math.prod(size) == 0:
        return torch.zeros(size, dtype=dtype)
    end = offset + 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    held = len(storage.data) // dtype.itemsize
    if end > held or math.prod(size) > held:
        raise pickle.UnpicklingError(f"a tensor of shape {size} at {offset} exceeds its storage of {held} elements")
    window = bytearray(storage.data[offset * dtype.itemsize : end * dtype.itemsize])
    return torch.frombuffer(window, dtype=dtype).as_strided(size, stride).clone()


def code_error(path: Path, name: str) -> UnsafeFileError:
    """Return the error for a file that names code."""
    return UnsafeFileError(
        f"{path} refers to {name}, which is code, not data; nothing of the file was loaded.",
        hint="Get the file from a source you trust, or save only tensors and plain values in it.",
    )


def read_script_module(archive: TorchArchive) -> InertObject:
    """Return the module that a TorchScript archive holds, with nothing in it executed.

    Raises:
        UnsafeFileError: it refers to code outside of the archive.
        CheckpointError: it is damaged.
    """
    module = _guarded(_ScriptUnpickler(archive).load, archive.path)
    if not isinstance(module, InertObject):
        raise damaged(archive.path, "it holds no TorchScript module")
    return module


class _Swallow(dict[Any, Any]):
    """Takes whatever a pickle does to an object of torch or numpy, and ignores it."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, *_: Any) -> None:
        super().__init__()

    def __setstate__(self, _: Any) -> None: ...

    def append(self, _: Any) -> None: ...


class _DataUnpickler(_Unpickler):
    """Unpickles plain data: what torch and numpy would rebuild becomes inert, all other names are refused."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        super().__init__(stream)
        self._path = path
        self._size = path.stat().st_size

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] in ("torch", "numpy", "collections", "_codecs") or (module, name) in _HARMLESS:
            return _Swallow
        raise code_error(self._path, f"{module}.{name}")

    def persistent_load(self, pid: Any) -> _Swallow:
        numbers = [part for part in pid if isinstance(part, int)]
        if numbers and max(numbers) > self._size:
            raise UnsafeFileError(
                f"{self._path} claims a tensor of {max(numbers):,} elements, but is only {self._size:,} bytes long.",
                hint="Get the file again, from a source that you trust.",
            )
        return _Swallow()


def check_pickle(stream: BinaryIO, path: Path) -> None:
    """Refuse what ``torch.save`` wrote if it names code.

    Args:
        stream: a bare pickle, or a file of torch's legacy form, which is a sequence of them.
        path: for messages.

    Raises:
        UnsafeFileError: it does.
        CheckpointError: it is damaged.
    """
    first = _guarded(_DataUnpickler(stream, path).load, path)
    if first == _LEGACY_MAGIC:
        for _ in ("protocol version", "system", "content"):
            _guarded(_DataUnpickler(stream, path).load, path)


def _guarded(load: Callable[[], Any], path: Path) -> Any:
    try:
        return load()
    except CheckpointError:
        raise
    except Exception as error:  # broken pickles raise nearly every type
        raise damaged(path, f"its pickle cannot be read ({first_line(error)})") from error


def tensors_of(module: InertObject, path: Path) -> dict[str, Tensor]:
    """Return all tensors of a module and its submodules under their dotted names.

    A submodule that is reachable by several names appears under each.

    Raises:
        CheckpointError: modules contain each other, or are more than any network has.
    """
    import torch

    found: dict[str, Tensor] = {}
    waiting = [("", module)]
    visited = 0
    while waiting:
        prefix, part = waiting.pop()
        visited += 1
        if visited > _MAXIMUM_MODULES:
            raise damaged(path, "its modules contain each other")
        for name, value in part.attributes.items():
            if isinstance(value, torch.Tensor):
                found[f"{prefix}{name}"] = value
            elif isinstance(value, InertObject):
                waiting.append((f"{prefix}{name}.", value))
    return found


def plain_attributes(module: InertObject) -> dict[str, Any]:
    """Return a module's own numbers, flags, strings and tensors."""
    return {name: value for name, value in module.attributes.items() if not isinstance(value, InertObject)}
