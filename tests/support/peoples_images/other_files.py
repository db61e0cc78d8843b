"""Files of other kinds."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from support.peoples_images.parts import (
    RGB,
    Kind,
    into,
)

__all__ = ["KINDS"]

KINDS: list[Kind] = []
_kind = into(KINDS)


def _content(name: str, content: bytes) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return build


_NPY = io.BytesIO()
np.save(_NPY, RGB)
for name, content, says in (
    ("image.czi", b"ZISRAWFILE" + bytes(600), "CZI"),
    ("image.nd2", b"\xda\xce\xbe\x0a" + bytes(600), "ND2"),
    ("image.lif", b"\x70\0\0\0\x10\0\0\0\x2a" + bytes(600), "LIF"),
    ("image.oib", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "OIB"),
    ("image.h5", b"\x89HDF\r\n\x1a\n" + bytes(600), "HDF5"),
    ("image.npy", _NPY.getvalue(), "NumPy"),
    ("image.zarr.zip", b"PK\x03\x04" + bytes(600), "zip"),
    ("image.dcm", bytes(128) + b"DICM" + bytes(600), "DICOM"),
    ("image.pdf", b"%PDF-1.7" + bytes(600), "PDF"),
    ("image.txt", b"not an image at all", "kind that cannot be read"),
):
    _kind(name, _content(name, content), None, says)
