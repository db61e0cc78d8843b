"""Reads the network out of a TorchScript file that this package exported, without executing it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..archives.script_module import read_script_module, tensors_below
from ..archives.torch_archive import TorchArchive, damaged, is_script_file
from ..errors import CheckpointError
from ..families.checkpoint import Checkpoint, Load
from ..families.registry import FAMILIES
from ..files import sha256_of
from ..metadata import METADATA_FILE
from ..untrusted.json_texts import load_json_text
from .single_file import parse_spec

__all__ = ["READER", "ExportedFileReader"]

_METADATA = f"extra/{METADATA_FILE}"


class ExportedFileReader:
    """Reads an ``instanseg.pt`` of ours, which has its description as an extra file."""

    name = "torchscript"
    describes = "an instanseg.pt (TorchScript) that this package exported"

    def recognises(self, path: Path) -> bool:
        if not is_script_file(path):
            return False
        with TorchArchive(path) as archive:
            return _METADATA in archive

    def read(self, path: Path, overrides: dict[str, str], load: Load) -> Checkpoint:
        with TorchArchive(path) as archive:
            module = read_script_module(archive)
            metadata = archive.read(_METADATA)
        spec = parse_spec(_embedded_spec(metadata, path), path)
        state = tensors_below(module, path, ("network.",), spec.title)
        return FAMILIES.get(spec.family).restore(
            spec, state, overrides, path, sha256=sha256_of(path), reader=self.name, folded=True
        )


def _embedded_spec(metadata: bytes, path: Path) -> Any:
    content = load_json_text(metadata, path, "its embedded description", CheckpointError)
    if not isinstance(content, dict) or "spec" not in content:
        raise damaged(path, "its embedded description cannot be read (it describes no network)")
    return content["spec"]


READER = ExportedFileReader()
