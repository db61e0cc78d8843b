"""Loading what safetensors wrote: its header is measured before the library sees it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError
from ..limits import MAX_SAFETENSORS_HEADER
from ..untrusted.boundary import allowed, parsing, regular_file
from .torch_archive import damaged, first_line

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["check_safetensors", "load_safetensors"]


def check_safetensors(path: Path) -> None:
    """Check what the file claims, without reading tensors.

    Raises:
        CheckpointError: its header is longer than the file or than any network's, or does not fit the data.
    """
    with parsing(path, "its header", CheckpointError):
        _open(path)


def load_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of the file, by name, and the texts in its header.

    Raises:
        CheckpointError: it is damaged, or its header claims what the file does not have.
    """
    with parsing(path, "its data", CheckpointError):
        file = _open(path)
        with file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


def _open(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    size = regular_file(path, CheckpointError)
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
    most = min(size - 8, allowed(MAX_SAFETENSORS_HEADER))
    if length > most:
        raise damaged(path, f"it starts like a safetensors file, but claims a header of {length:,} bytes")
    try:
        return safe_open(path, framework="pt", device="cpu")
    except SafetensorError as error:
        raise damaged(path, f"it starts like a safetensors file, but {first_line(error)}") from error
