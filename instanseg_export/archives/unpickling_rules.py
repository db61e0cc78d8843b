"""What names in a file of torch become: an exact table, and functions that check their arguments."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import UnsafeFileError
from ..limits import MAX_GROWTH, MAX_PICKLE_BYTES
from ..untrusted.boundary import allowed, plain
from .safe_unpickling import Global, InertObject, MalformedPickleError, Opaque, as_key

if TYPE_CHECKING:
    from torch import Tensor, dtype

__all__ = ["SCRIPT_MODULES", "Storage", "Storages", "TorchRules", "code_error"]

SCRIPT_MODULES = "__torch__"
"""Classes that a TorchScript file defines stand below this name."""

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
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "UntypedStorage": "uint8",
}
"""Storage classes that a file may name, and the number types that they stand for."""

_QUANTISED = ("QInt8Storage", "QUInt8Storage", "QInt32Storage", "QUInt4x2Storage", "QUInt2x4Storage")

_DTYPES = frozenset(
    {
        *("float64", "float32", "float16", "bfloat16", "complex32", "complex64", "complex128", "bool"),
        *("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"),
        *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
        *("qint8", "quint8", "qint32", "quint4x2", "quint2x4"),
    }
)

_SCHEMES = (
    *("per_tensor_affine", "per_tensor_symmetric", "per_channel_affine", "per_channel_symmetric"),
    *("per_channel_affine_float_qparams", "strided", "sparse_coo", "sparse_csr", "contiguous_format"),
)

_OTHER_TENSORS = {
    "_rebuild_sparse_tensor": "a sparse tensor",
    "_rebuild_qtensor": "a quantised tensor",
    "_rebuild_meta_tensor_no_storage": "a tensor of the meta device, which has no data",
    "_rebuild_nested_tensor": "a nested tensor",
    "_rebuild_wrapper_subclass": "a tensor of another package",
    "_rebuild_device_tensor_from_numpy": "a tensor of another device",
    "_rebuild_device_tensor_from_cpu_tensor": "a tensor of another device",
}

_LIST_BUILDERS = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist")

_NUMBERS = {"f2": "e", "f4": "f", "f8": "d", "b1": "?", **{f"i{n}": "bhiq"[k] for k, n in enumerate((1, 2, 4, 8))}}
_NUMBERS |= {f"u{n}": "BHIQ"[k] for k, n in enumerate((1, 2, 4, 8))}
"""NumPy's names of number types, and those of :mod:`struct`."""


class Storage:
    """The data of tensors, as it lies in the file.

    Attributes:
        key: its name in the file.
        dtype: the type of its numbers, by torch's name.
        data: all of it; None while only names are looked at.
    """

    def __init__(self, key: str, dtype: str, data: bytearray | None) -> None:
        self.key = key
        self.dtype = dtype
        self.data = data


class Storages(Protocol):
    """Where the data of tensors is."""

    path: Path
    size: int
    """Bytes of the file."""

    def open(self, key: str, dtype: str, elements: int) -> Storage:
        """Return the data of that name, which has as many elements as the file claims.

        Raises:
            CheckpointError: it is not there, or has other bytes.
        """
        ...


def code_error(path: Path, name: str) -> UnsafeFileError:
    """Return the error for a file that names code."""
    return UnsafeFileError(
        f"{path} refers to {name}, which is code, not data; nothing of the file was loaded.",
        hint="Get the file from a source you trust, or save only tensors and plain values in it.",
    )


class TorchRules:
    """See :class:`.pickle_machine.Rules`. Knows the names that ``torch.save`` and TorchScript write for plain data.

    Args:
        storages: where the data of tensors is.
        script: whether the file is one of TorchScript, which defines classes of its own.
    """

    def __init__(self, storages: Storages, *, script: bool = False) -> None:
        self._storages = storages
        self._script = script
        self._views: dict[tuple[Any, ...], Tensor] = {}
        self._bytes = 0
        self._copied = 0
        self._table = _table(self)

    def check(self, name: Global) -> None:
        if not self._is_class(name) and (name.module, name.name) not in self._table:
            raise code_error(self._storages.path, str(name))

    def call(self, name: Global, arguments: tuple[Any, ...]) -> Any:
        if self._is_class(name):
            return InertObject()
        rule = self._table.get((name.module, name.name))
        if rule is None:
            raise MalformedPickleError(f"{name} is called, which only stands for itself")
        # A call copies its arguments, and a pickle can give the same large one to many calls.
        self._copied += sum(
            len(part) if isinstance(part, (str, bytes)) else 32 * len(part) for part in _sized(arguments)
        )
        if self._copied > allowed(MAX_PICKLE_BYTES):
            raise MalformedPickleError("its calls copy more data than any network has")
        return rule(*arguments)

    def _is_class(self, name: Global) -> bool:
        return self._script and name.module.partition(".")[0] == SCRIPT_MODULES

    def persistent(self, mark: Any) -> Any:
        if not isinstance(mark, tuple) or not 5 <= len(mark) <= 6 or mark[0] != "storage":
            raise MalformedPickleError("data outside of the pickle is of an unknown kind")
        kind, key, elements, view = mark[1], mark[2], mark[4], mark[5] if len(mark) == 6 else None
        if not isinstance(kind, Global) or not isinstance(key, (str, int)) or type(elements) is not int or elements < 0:
            raise MalformedPickleError("data outside of the pickle is described in an unknown way")
        if kind.name in _QUANTISED:
            return Opaque("the data of a quantised tensor")
        if kind.name not in _STORAGES or view is not None:
            raise MalformedPickleError(f"data outside of the pickle is of the unknown kind {kind}")
        if elements > self._storages.size:
            raise UnsafeFileError(
                f"{self._storages.path} claims a tensor of {elements:,} elements, but is only "
                f"{self._storages.size:,} bytes long.",
                hint="Get the file again, from a source that you trust.",
            )
        return self._storages.open(plain(key, 100), _STORAGES[kind.name], elements)

    # What calls make

    def tensor(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Any:
        """Return a view of a storage, which must hold all of it; the same view is the same tensor."""
        return self._view(storage, storage.dtype if isinstance(storage, Storage) else "", offset, size, stride)

    def tensor_of_type(
        self, storage: Any, offset: Any, size: Any, stride: Any, _grad: Any, _hooks: Any, kind: Any, *_: Any
    ) -> Any:
        if not isinstance(kind, Global) or kind.module != "torch" or kind.name not in _DTYPES:
            raise MalformedPickleError("a tensor is of an unknown type")
        if kind.name.startswith("q"):
            return Opaque("a quantised tensor")
        return self._view(storage, kind.name, offset, size, stride)

    def _view(self, storage: Any, kind: str, offset: Any, size: Any, stride: Any) -> Any:
        if isinstance(storage, Opaque):
            return storage
        if not isinstance(storage, Storage) or not isinstance(size, tuple) or not isinstance(stride, tuple):
            raise MalformedPickleError("a tensor has no data, or no shape")
        if (
            len(size) != len(stride)
            or len(size) > 16
            or any(type(n) is not int or not 0 <= n < 1 << 62 for n in (offset, *size, *stride))
        ):
            shown = plain((size[:8], stride[:8]), 100)
            raise MalformedPickleError(f"a tensor has an impossible shape and strides: {shown}")
        if storage.data is None:
            return Opaque("a tensor that was not read yet")
        place = (storage.key, kind, offset, size, stride)
        if place not in self._views:
            self._views[place] = self._new_view(storage, kind, offset, size, stride)
        return self._views[place]

    def _new_view(
        self, storage: Storage, kind: str, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
    ) -> Tensor:
        import torch

        number: dtype = getattr(torch, kind)
        assert storage.data is not None
        held, count = len(storage.data) // number.itemsize, math.prod(size)
        if count == 0:
            return torch.empty(tuple(min(n, 1 << 20) for n in size), dtype=number)
        end = offset + 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if end > held or count > held:
            raise MalformedPickleError(
                f"a tensor of shape {size} at {offset:,} exceeds its storage of {held:,} elements"
            )
        self._bytes += count * number.itemsize
        if self._bytes > MAX_GROWTH * self._storages.size:
            raise UnsafeFileError(
                f"{self._storages.path} describes tensors of more than {MAX_GROWTH} times its own size.",
                hint="Get the file again, from a source that you trust.",
            )
        return torch.frombuffer(storage.data, dtype=number, count=held).as_strided(size, stride, offset)

    def other_type(self, rebuild: Any, _kind: Any, arguments: Any, *_: Any) -> Any:
        """Return the tensor that a class derived from torch's wraps."""
        if (
            not isinstance(rebuild, Global)
            or not isinstance(arguments, tuple)
            or rebuild.name == "_rebuild_from_type_v2"
        ):
            raise MalformedPickleError("a tensor is of an unknown type")
        return self.call(rebuild, arguments)


def _sized(arguments: tuple[Any, ...]) -> list[Any]:
    return [part for part in arguments if isinstance(part, (str, bytes, list, tuple, dict, set, frozenset))]


def _first(value: Any, *_: Any) -> Any:
    """Return what a wrapper wraps, such as that of a parameter."""
    return value


def _dict(items: Any = (), *_: Any) -> dict[Any, Any]:
    pairs = list(items.items()) if isinstance(items, dict) else items
    if not isinstance(pairs, (list, tuple)) or not all(isinstance(p, (list, tuple)) and len(p) == 2 for p in pairs):
        raise MalformedPickleError("a dict is made of no pairs")
    return {as_key(key): value for key, value in pairs}


def _default_dict(_factory: Any = None, *_: Any) -> dict[Any, Any]:
    return {}


def _set(items: Any = ()) -> set[Any]:
    if not isinstance(items, (list, tuple, set, frozenset)):
        raise MalformedPickleError("a set is made of no list")
    return {as_key(item) for item in items}


def _plain_list(items: Any = ()) -> list[Any]:
    if not isinstance(items, (list, tuple)):
        raise MalformedPickleError("a list is made of no list")
    return list(items)


def _size(items: Any = ()) -> tuple[Any, ...]:
    return tuple(_plain_list(items))


def _bytes_of(text: Any, encoding: Any = "latin1", *_: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise MalformedPickleError("bytes are made of no text")
    return text.encode("latin1")


def _bytearray(data: Any = b"", encoding: Any = "latin1") -> bytearray:
    """Never of a number, which would be a length."""
    return bytearray(_bytes_of(data, encoding) if isinstance(data, str) else _exactly(data, bytes))


def _exactly(value: Any, kind: type[Any]) -> Any:
    if type(value) is not kind:
        raise MalformedPickleError(f"a {kind.__name__} is made of a {type(value).__name__}")
    return value


def _complex(real: Any = 0.0, imaginary: Any = 0.0) -> complex:
    return complex(_exactly(real, float), _exactly(imaginary, float))


def _number_type(code: Any, *_: Any) -> str | Opaque:
    """Return the name of a type of numbers in NumPy, such as f8; types of other things have sizes of their own."""
    found = re.fullmatch(r"[<>=|]?([fiub][1248])", code) if isinstance(code, str) and len(code) < 8 else None
    return found[1] if found and found[1] in _NUMBERS else Opaque("a type of NumPy")


def _scalar(kind: Any, data: Any = b"", *_: Any) -> Any:
    """Return a number of NumPy as one of Python."""
    if not isinstance(kind, str) or kind not in _NUMBERS or not isinstance(data, bytes):
        return Opaque("a value of NumPy")
    form = f"<{_NUMBERS[kind]}"
    if len(data) != struct.calcsize(form):
        raise MalformedPickleError(f"a number of NumPy has {len(data):,} bytes")
    return struct.unpack(form, data)[0]


def _opaque(what: str) -> Callable[..., Any]:
    return lambda *_: Opaque(what)


_Table = dict[tuple[str, str], Callable[..., Any] | None]


def _table(rules: TorchRules) -> _Table:
    """Return what may be named, and what a call makes of it; None for what only stands for itself."""
    table: _Table = {("torch", name): None for name in (*_STORAGES, *_QUANTISED, *_DTYPES, *_SCHEMES, "Tensor")}
    table |= {("torch.cuda", name): None for name in _STORAGES}
    table |= {("torch.storage", "UntypedStorage"): None, ("torch._tensor", "Tensor"): None}
    for name, what in _OTHER_TENSORS.items():
        table["torch._utils", name] = _opaque(what)
    for name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
        table["torch._utils", name] = rules.tensor
    table["torch._utils", "_rebuild_tensor_v3"] = rules.tensor_of_type
    for name in ("_rebuild_parameter", "_rebuild_parameter_with_state"):
        table["torch._utils", name] = _first
    table["torch._tensor", "_rebuild_from_type_v2"] = rules.other_type
    table["torch.nn.parameter", "Parameter"] = _first
    table["torch", "Size"] = _size
    table["torch", "device"] = _opaque("a device")
    table["torch.serialization", "_get_layout"] = _opaque("a layout")
    for name in _LIST_BUILDERS:
        table["torch.jit._pickle", name] = _plain_list
    table["torch.jit._pickle", "restore_type_tag"] = _first
    table["collections", "OrderedDict"] = table["collections", "Counter"] = _dict
    table["collections", "defaultdict"] = _default_dict
    for module in ("builtins", "__builtin__"):
        table |= {(module, name): None for name in ("int", "float", "bool", "str", "list", "dict", "tuple")}
        table[module, "set"] = table[module, "frozenset"] = _set
        table[module, "bytearray"] = _bytearray
        table[module, "bytes"] = lambda *data: bytes(_bytearray(*data))
        table[module, "complex"] = _complex
    table["_codecs", "encode"] = _bytes_of
    table["numpy", "dtype"] = _number_type
    table["numpy", "ndarray"] = None
    for core in ("numpy.core", "numpy._core"):
        table[f"{core}.multiarray", "scalar"] = _scalar
        table[f"{core}.multiarray", "_reconstruct"] = _opaque("an array of NumPy")
        table[f"{core}.numeric", "_frombuffer"] = _opaque("an array of NumPy")
    return table
