"""What lies on disk becomes a :class:`Checkpoint`: a description and a network with its weights.

One reader per kind of file: some for all families, those that each family names, and those of other packages
(entry-point group ``instanseg_export.readers``). Nothing that a file carries is executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import CheckpointError
from ..families.checkpoint import Checkpoint, Reader
from ..untrusted.boundary import enough_memory
from .readers import READERS

__all__ = ["READERS", "Checkpoint", "Reader", "load_checkpoint", "save_checkpoint"]

_FORMER_FIELDS = {"targets": "structures"}
"""Former names of fields of a description, which users may still override."""


def load_checkpoint(path: str | Path, *, spec: Mapping[str, str] | None = None) -> Checkpoint:
    """Read a checkpoint of any registered kind.

    Args:
        path: a training run's folder or its file of weights, a ``checkpoint.pt`` or ``.safetensors`` of ours, a
            TorchScript file that this package or a family's own exporter wrote, or a recipe that names checkpoints.
        spec: fields of the description that override what the files say, as text (``{"pixel_size": "0.5"}``).

    Returns:
        The checkpoint; its network is on the CPU, float32, in eval mode.

    Raises:
        UnsafeFileError: the file would execute code if it were loaded naively, or is built to exhaust the machine.
        SpecError: the description is incomplete, malformed or contradicts the weights.
        CheckpointError: the file is missing, damaged, of an unknown kind, or its weights do not fit.
    """
    path = Path(path)
    overrides = {_FORMER_FIELDS.get(key, key): text for key, text in (spec or {}).items()}
    from ..archives.torch_archive import kind_of
    from .unknown import explain

    if kind_of(path) == "special":  # before any reader opens it
        raise explain(path)
    with enough_memory(path, "the checkpoint", CheckpointError):
        for reader in READERS:
            if reader.recognises(path):
                return reader.read(path, overrides, _load)
        raise explain(path)


def _load(path: Path, overrides: dict[str, str]) -> Checkpoint:
    return load_checkpoint(path, spec=overrides)


def save_checkpoint(checkpoint: Checkpoint, path: Path, *, overwrite: bool = False) -> None:
    """Write weights and description into one file, tensors only; the same checkpoint gives the same bytes.

    Args:
        checkpoint: what to write.
        path: ends in ``.pt`` or ``.safetensors``, which decides the format.
        overwrite: whether an existing file is replaced.

    Raises:
        OutputError: the suffix is another one, the file exists and ``overwrite`` is False, or it cannot be written.
    """
    from .single_file import write

    write(checkpoint, Path(path), overwrite=overwrite)
