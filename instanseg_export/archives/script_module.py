"""The module that a TorchScript file holds, with nothing in it executed."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError
from .safe_unpickling import InertObject
from .torch_archive import TorchArchive, damaged
from .torch_file import ArchiveStorages, read_pickle

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["InertObject", "plain_attributes", "read_script_module", "tensors_below", "tensors_of"]

_MAXIMUM_MODULES = 20_000
"""No network has more modules; files in which modules share each other reach it."""


def read_script_module(archive: TorchArchive) -> InertObject:
    """Return the module that a TorchScript archive holds, with nothing in it executed.

    Raises:
        UnsafeFileError: it refers to code outside of the archive.
        CheckpointError: it is damaged.
    """
    module = read_pickle(BytesIO(archive.read_pickle()), ArchiveStorages(archive), script=True)
    if not isinstance(module, InertObject):
        raise damaged(archive.path, "it holds no TorchScript module")
    return module


def tensors_of(module: InertObject, path: Path) -> dict[str, Tensor]:
    """Return all tensors of a module and its submodules under their dotted names.

    A submodule that is reachable by several names appears under each.

    Raises:
        CheckpointError: modules are more than any network has.
    """
    import torch

    found: dict[str, Tensor] = {}
    waiting = [("", module)]
    visited = 0
    while waiting:
        prefix, part = waiting.pop()
        visited += 1
        if visited > _MAXIMUM_MODULES:
            raise damaged(path, f"it has more than {_MAXIMUM_MODULES:,} modules")
        for name, value in part.attributes.items():
            if isinstance(value, torch.Tensor):
                found[f"{prefix}{name}"] = value
            elif isinstance(value, InertObject):
                waiting.append((f"{prefix}{name}.", value))
    return found


def tensors_below(module: InertObject, path: Path, parts: tuple[str, ...], title: str) -> dict[str, Tensor]:
    """Return the tensors of some of a module's parts.

    Args:
        module: of the file.
        path: of the file, for messages.
        parts: beginnings of names, with the dot.
        title: of the family that has such parts, for messages.

    Raises:
        CheckpointError: there are none, or modules are more than any network has.
    """
    state = {name: tensor for name, tensor in tensors_of(module, path).items() if name.startswith(parts)}
    if not state:
        raise CheckpointError(
            f"{path} is a TorchScript file, but no {title} network: it has no weights under {' or '.join(parts)}",
            hint="Give the file as its exporter wrote it, or the training checkpoint.",
        )
    return state


def plain_attributes(module: InertObject) -> dict[str, Any]:
    """Return a module's own numbers, flags, strings and tensors."""
    return {name: value for name, value in module.attributes.items() if not isinstance(value, InertObject)}
