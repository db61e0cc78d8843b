"""Test tensors: headers of arrays that claim, or run, something."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from support.hostile_models.parts import (
    Member,
    replaced,
)

__all__ = ["arrays"]


def _npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() + b" " * (64 - (len(header) + 11) % 64) + b"\n"
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + version + size + text + data


def arrays(canary: Path) -> Iterator[Member]:
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
            replaced("test-input.npy", lambda path, data=data: path.write_bytes(data) and None),  # type: ignore[misc]
        )
