"""NumPy's files, read only after what their headers claim was compared with their size."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from ..errors import InstansegExportError
from ..limits import MAX_AXES, MAX_NPY_HEADER
from .boundary import parsing, plain, regular_file
from .zips import check_zip

__all__ = ["npy_shape", "read_npy", "read_npz"]

_AGAIN = "Export the model again."
_PACKED = 1100
"""How many times its size deflate can pack at most: label maps are mostly zeros."""


def npy_shape(path: Path) -> tuple[int, ...]:
    """Return the shape that a .npy file of ours states."""
    with path.open("rb") as stream:
        return _header(stream)[0]


def read_npy(path: Path, error: type[InstansegExportError], *, hint: str = _AGAIN) -> npt.NDArray[Any]:
    """Return the array of numbers in a .npy file.

    Raises:
        InstansegExportError: of kind ``error``: it is missing, damaged, holds objects, or claims to hold more than it
            does.
    """
    size = regular_file(path, error)
    with parsing(path, "the array", error, hint=hint), path.open("rb") as stream:
        return _read(stream, size)


def read_npz(
    path: Path, wanted: Callable[[str], bool], error: type[InstansegExportError], *, hint: str = _AGAIN
) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of numbers in a .npz file, by name.

    Args:
        path: of the file.
        wanted: tells by name which arrays are read.
        error: the kind of error to raise.
        hint: the remedy.

    Raises:
        InstansegExportError: of kind ``error``, as for :func:`read_npy`; UnsafeFileError where it is a bomb.
    """
    size = regular_file(path, error)
    found = {}
    with parsing(path, "the file of arrays", error, hint=hint), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        check_zip(members, path, size, error, hint=hint, ratio=_PACKED)
        for member in members:
            name = member.filename.removesuffix(".npy")
            if wanted(name):
                with archive.open(member) as stream:
                    found[name] = _read(stream, member.file_size)
    return found


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        shape, fortran, dtype = readers[npy.read_magic(stream)](stream, max_header_size=MAX_NPY_HEADER)
        return tuple(map(int, shape)), bool(fortran), dtype
    except Exception as error:  # NumPy's own words speak of its functions and of trust
        raise ValueError("it does not begin like an array of NumPy") from error


def _read(stream: IO[bytes], size: int) -> npt.NDArray[Any]:
    """Read an array from a file, or an entry, of ``size`` bytes."""
    shape, fortran, dtype = _header(stream)
    if dtype.kind not in "biuf":
        raise ValueError(f"it holds {plain(dtype, 60)}, not real numbers")
    if len(shape) > MAX_AXES or any(length < 0 for length in shape):
        raise ValueError(f"its shape is {plain(shape, 60)}")
    data = size - stream.tell()
    claimed = math.prod(shape) * dtype.itemsize
    if claimed != data:
        raise ValueError(f"it states {shape} {dtype}, which is {claimed:,} bytes, but holds {data:,}")
    flat = np.frombuffer(stream.read(claimed), dtype=dtype)
    return flat.reshape(shape[::-1]).transpose() if fortran else flat.reshape(shape)
