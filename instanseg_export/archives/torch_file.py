"""Loading what ``torch.save`` wrote, in its present and its legacy form, with nothing in it executed."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import CheckpointError
from ..limits import MAX_PICKLE_BYTES
from ..untrusted.boundary import allowed, parsing, regular_file
from .safe_unpickling import MalformedPickleError, unpickle
from .torch_archive import TorchArchive, damaged, kind_of
from .unpickling_rules import Storage, Storages, TorchRules

__all__ = ["ArchiveStorages", "load_tensors", "read_pickle"]

_MAGIC = 0x1950A86A20F9469CFC6C
"""The first object in files of the legacy form, which torch wrote before 1.6."""

_PROTOCOL = 1001

_CHUNK = 1 << 24


def load_tensors(path: Path) -> Any:
    """Load what ``torch.save`` wrote, in its present or its legacy form, refusing everything but plain data.

    Returns:
        Containers, numbers, strings and tensors on the CPU. Tensors may share memory; what no network of ours is made
        of, such as sparse tensors and arrays of NumPy, is an :class:`.pickle_machine.Opaque`.

    Raises:
        UnsafeFileError: it refers to code, or is built to exhaust the machine.
        CheckpointError: it is damaged or no file of torch.
    """
    if kind_of(path) == "zip":
        with TorchArchive(path) as archive:
            archive.require_stored()
            return read_pickle(BytesIO(archive.read_pickle()), ArchiveStorages(archive))
    size = regular_file(path, CheckpointError)
    with parsing(path, "its data", CheckpointError), path.open("rb") as stream:
        return _load_legacy(_Pickles(stream, path, size), path, size)


def read_pickle(stream: Any, storages: Storages, *, script: bool = False) -> Any:
    """Return what a pickle holds.

    Args:
        stream: from which it is read, up to its end.
        storages: where the data of its tensors is.
        script: whether it is that of a TorchScript file.

    Raises:
        UnsafeFileError: it refers to code, or is built to exhaust the machine.
        CheckpointError: it is damaged.
    """
    path = storages.path
    try:
        with parsing(path, "its pickle", CheckpointError):
            return unpickle(stream, TorchRules(storages, script=script))
    except CheckpointError as error:
        if isinstance(error.__cause__, MalformedPickleError):
            raise damaged(path, f"its pickle cannot be read ({error.__cause__})") from error.__cause__
        raise


class ArchiveStorages:
    """The data of tensors in a zip archive; see :class:`.pickle_rules.Storages`."""

    def __init__(self, archive: TorchArchive) -> None:
        self.path = archive.path
        self.size = archive.size
        self._archive = archive
        self._swap = archive.big_endian
        self._data: dict[str, bytearray] = {}

    def open(self, key: str, dtype: str, elements: int) -> Storage:
        if key not in self._data:
            self._data[key] = self._archive.read_data(f"data/{key}")
            if self._swap:
                _swap_bytes(self._data[key], dtype)
        data = self._data[key]
        if elements * _width(dtype) > len(data):
            raise MalformedPickleError(f"its data {key} has {len(data):,} bytes, too few for {elements:,} numbers")
        return Storage(key, dtype, data)


def _width(dtype: str) -> int:
    import torch

    return int(getattr(torch, dtype).itemsize)


def _swap_bytes(data: bytearray, dtype: str) -> None:
    import torch

    if data:
        number = getattr(torch, dtype)
        torch.frombuffer(data, dtype=number).untyped_storage().byteswap(number)


class _Pickles:
    """The pickles at the start of a file of the legacy form: reads no more than there is, and than pickles may have."""

    def __init__(self, stream: BinaryIO, path: Path, size: int) -> None:
        self._stream = stream
        self._path = path
        self._most = min(size, allowed(MAX_PICKLE_BYTES))
        self.place = 0

    def read(self, count: int) -> bytes:
        return self._moved(self._stream.read(max(0, min(count, self._most - self.place))))

    def readline(self) -> bytes:
        return self._moved(self._stream.readline(max(0, self._most - self.place)))

    def _moved(self, data: bytes) -> bytes:
        self.place += len(data)
        return data

    def seek(self, place: int) -> None:
        self._stream.seek(place)
        self.place = place

    def fill(self, data: bytearray) -> None:
        """Fill a buffer, whose size was compared with the file's, from here on."""
        view = memoryview(data)
        while view:
            part = self._stream.read(min(len(view), _CHUNK))
            if not part:
                raise damaged(self._path, "it ends within the data of a tensor")
            view[: len(part)] = part
            view = view[len(part) :]
        self.place += len(data)


class _NamedStorages:
    """Remembers which data a file of the legacy form has, and of which type; there is none to be read yet."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.found: dict[str, tuple[str, int]] = {}

    def open(self, key: str, dtype: str, elements: int) -> Storage:
        if self.found.setdefault(key, (dtype, elements)) != (dtype, elements):
            raise MalformedPickleError(f"its data {key} is of two types")
        return Storage(key, dtype, None)


class _LegacyStorages:
    """The data of tensors behind the pickles; see :class:`.pickle_rules.Storages`."""

    def __init__(self, path: Path, size: int, data: dict[str, bytearray]) -> None:
        self.path = path
        self.size = size
        self._data = data

    def open(self, key: str, dtype: str, elements: int) -> Storage:
        return Storage(key, dtype, self._data[key])


def _load_legacy(file: _Pickles, path: Path, size: int) -> Any:
    names = _NamedStorages(path, size)
    if read_pickle(file, names) != _MAGIC:
        raise damaged(path, "it is a pickle, but none that torch wrote")
    if read_pickle(file, names) != _PROTOCOL:
        raise damaged(path, "it is of an unknown version of torch's legacy form")
    system = read_pickle(file, names)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise damaged(path, "it was written on a machine with another order of bytes")
    content = file.place
    read_pickle(file, names)
    keys = read_pickle(file, names)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(names.found):
        raise damaged(path, "its list of data does not fit its tensors")
    data: dict[str, bytearray] = {}
    for key in map(str, keys):
        dtype, elements = names.found[key]
        head = bytearray(8)
        file.fill(head)
        count = int.from_bytes(head, "little", signed=True)
        length = elements * _width(dtype)
        if count != elements or length > size - file.place:
            raise damaged(path, f"its data {key} has {count:,} numbers, where {elements:,} are described")
        data[key] = bytearray(length)
        file.fill(data[key])
    file.seek(content)
    return read_pickle(file, _LegacyStorages(path, size, data))
